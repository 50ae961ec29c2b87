// The device that writes down what would be run. Tracing a network, or a whole training step with its gradients, is running
// it, synchronously, here. Values of other backends are captured by reference.

import type { Backend, Handle } from './backend.ts';
import type { OpAttributes, OpName } from './catalogue/attributes.ts';
import { DatalessBackend } from './dataless.ts';
import type { Capture, Program, ProgramNode } from './program.ts';
import type { Data, Spec } from './spec.ts';

export interface Recorder extends Backend {
  /** A symbolic input of the program. */
  input(spec: Spec): Handle;
  capture(owner: Backend, handle: Handle): Handle;
  update(owner: Backend, handle: Handle, symbol: Handle): void;
  /** The program so far, with these results. */
  finish(outputs: readonly Handle[]): Program;
}

interface Captured extends Capture {
  /** What stands for it now: the value captured, or the last update. */
  symbol: Handle;
  updated: boolean;
}

class RecordingBackend extends DatalessBackend implements Recorder {
  readonly name = 'recorder';
  readonly #numbers = new Map<Handle, number>();
  readonly #values: Spec[] = [];
  readonly #inputs: number[] = [];
  readonly #constants: { value: number; data: Data }[] = [];
  readonly #captures = new Map<Handle, Captured>();
  readonly #nodes: ProgramNode[] = [];

  #number(handle: Handle): number {
    let number = this.#numbers.get(handle);
    if (number === undefined) {
      number = this.#values.push(handle.spec) - 1;
      this.#numbers.set(handle, number);
    }
    return number;
  }

  input(spec: Spec): Handle {
    const handle = this.make(spec);
    this.#inputs.push(this.#number(handle));
    return handle;
  }

  override upload(spec: Spec, data: Data): Handle {
    const handle = this.make(spec);
    this.#constants.push({ value: this.#number(handle), data: data.slice() });
    return handle;
  }

  capture(owner: Backend, handle: Handle): Handle {
    const known = this.#captures.get(handle);
    if (known) {
      this.retain(known.symbol);
      return known.symbol;
    }
    const symbol = this.make(handle.spec);
    this.#captures.set(handle, {
      value: this.#number(symbol),
      owner,
      handle,
      symbol,
      updated: false,
    });
    return symbol;
  }

  update(owner: Backend, handle: Handle, symbol: Handle): void {
    this.release(this.capture(owner, handle));
    const captured = this.#captures.get(handle)!;
    captured.symbol = symbol;
    captured.updated = true;
  }

  protected note<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    outputs: readonly Handle[],
  ): void {
    this.#nodes.push({
      op,
      inputs: inputs.map((handle) => this.#number(handle)),
      attributes,
      outputs: outputs.map((handle) => this.#number(handle)),
    } as ProgramNode);
  }

  finish(outputs: readonly Handle[]): Program {
    const captured = [...this.#captures.values()];
    return {
      outputs: outputs.map((handle) => this.#number(handle)),
      values: [...this.#values],
      inputs: [...this.#inputs],
      constants: [...this.#constants],
      captures: captured.map(({ value, owner, handle }) => ({ value, owner, handle })),
      updates: captured.flatMap(({ symbol, updated }, capture) =>
        updated ? [{ capture, value: this.#number(symbol) }] : [],
      ),
      nodes: [...this.#nodes],
    };
  }
}

export function createRecorder(): Recorder {
  return new RecordingBackend();
}
