// A recorded computation: plain data that a backend can compile, and that anyone can replay op by op.

import type { OpAttributes, OpName } from './catalogue/attributes.ts';
import type { Backend, Handle } from './backend.ts';
import type { Data, Spec } from './spec.ts';

export interface ProgramNode<K extends OpName = OpName> {
  readonly op: K;
  /** Value numbers. */
  readonly inputs: readonly number[];
  readonly attributes: OpAttributes[K];
  readonly outputs: readonly number[];
}

/** A value of another backend that the program reads where it stands: a parameter, a buffer, optimiser state. */
export interface Capture {
  readonly value: number;
  readonly owner: Backend;
  readonly handle: Handle;
}

/** A captured value that the program replaces: a step of training gives parameters, buffers and state new values. */
export interface Update {
  /** Position in `captures`. */
  readonly capture: number;
  /** The number of the new value. */
  readonly value: number;
}

export interface Program {
  /** The spec of each value, by its number. */
  readonly values: readonly Spec[];
  readonly inputs: readonly number[];
  readonly constants: readonly { readonly value: number; readonly data: Data }[];
  readonly captures: readonly Capture[];
  readonly updates: readonly Update[];
  readonly nodes: readonly ProgramNode[];
  readonly outputs: readonly number[];
}

/**
 * Runs a program op by op on `backend`. Gives its outputs, then the new value of each of its updates; all are the caller's.
 * Inputs are borrowed. Captured values must live on `backend`, and stay as they are.
 */
export function replay(program: Program, backend: Backend, inputs: readonly Handle[]): Handle[] {
  const values: (Handle | undefined)[] = [];
  const made: Handle[] = [];
  const own = (value: number, handle: Handle): void => {
    values[value] = handle;
    made.push(handle);
  };
  try {
    for (const [i, value] of program.inputs.entries()) values[value] = inputs[i];
    for (const { value, handle } of program.captures) values[value] = handle;
    for (const { value, data } of program.constants)
      own(value, backend.upload(program.values[value]!, data));
    for (const node of program.nodes) {
      const results = backend.run(
        node.op,
        node.inputs.map((value) => values[value]!),
        node.attributes as never,
      );
      for (const [i, value] of node.outputs.entries()) own(value, results[i]!);
    }
    const results = [...program.outputs, ...program.updates.map(({ value }) => value)];
    return results.map((value) => {
      const handle = values[value]!;
      backend.retain(handle);
      return handle;
    });
  } finally {
    for (const handle of made) backend.release(handle);
  }
}
