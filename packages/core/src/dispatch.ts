// The one door to a backend. It asks the catalogue for the result's spec (the user's mistakes surface here), asks the
// backend whether it runs the op, runs or decomposes it, and notes it on the tape where gradients are wanted.

import {
  BackendError,
  definition,
  type Backend,
  type Builder,
  type Handle,
  type OpAttributes,
  type OpName,
} from '@convoke/backend-api';

import { savedPositions, type SavedPositions } from './autograd/saved.ts';
import { currentBackend, currentRecorder, fromHost, onBackend } from './creation.ts';
import { isGradEnabled, noGrad } from './grad-mode.ts';
import { expectTensor, isTensor } from './kinds.ts';
import { scope } from './scope.ts';
import { expectSync } from './synchronous.ts';
import { originOf, TapeNode, type Saved } from './tape.ts';
import { Tensor } from './tensor.ts';

export interface DispatchOptions {
  /**
   * Positions of inputs whose value the op may overwrite; these tensors are disposed. One that a recorder captures from
   * another backend stays as it is.
   */
  readonly donate?: readonly number[] | undefined;
  /** Where an op without inputs runs; the current backend unless given. */
  readonly backend?: Backend | undefined;
}

/**
 * What `explain` reports: how often each op was run by the backend, or made of others: because the backend lacks it, or because
 * gradients are wanted of an op whose rule is that of its parts.
 */
export interface OpCount {
  readonly op: OpName;
  readonly run: number;
  readonly decomposed: number;
}

let counts: Map<OpName, { run: number; decomposed: number }> | null = null;

function count(op: OpName, how: 'run' | 'decomposed'): void {
  if (!counts) return;
  const entry = counts.get(op) ?? { run: 0, decomposed: 0 };
  entry[how]++;
  counts.set(op, entry);
}

/** Runs `f` and lists the ops it used: which the backend ran, and which were made of others. Throws a DataError where `f` is async. */
export function explain<T>(f: () => T): { result: T; ops: OpCount[] } {
  const before = counts;
  const own = (counts = new Map<OpName, { run: number; decomposed: number }>());
  try {
    const result = expectSync('explain', f());
    return { result, ops: [...own].map(([op, entry]) => Object.assign({ op }, entry)) };
  } finally {
    counts = before;
  }
}

/** Sees each op as the backend ran it. The outputs belong to the computation: read them at once, keep none. */
export type OpObserver = (op: OpName, outputs: readonly Tensor[]) => void;

let observer: OpObserver | null = null;

/** Runs `f` with `observe` called after every op that a backend runs, in order. For diagnosis; slow. */
export function observeOps<T>(observe: OpObserver, f: () => T): T {
  const before = observer;
  observer = observe;
  try {
    return expectSync('observeOps', f());
  } finally {
    observer = before;
  }
}

function namesOf(a: Backend, b: Backend): string {
  if (a.name === b.name) return `two instances of backend '${a.name}'`;
  return `backends '${a.name}' and '${b.name}'`;
}

/** The backend of all inputs, or the recorder that captures them. */
function commonBackend(
  op: OpName,
  inputs: readonly Tensor[],
  fallback: Backend | undefined,
): Backend {
  let recorder = currentRecorder();
  let common: Backend | null = null;
  for (const { backend } of inputs) {
    const known: Backend | null = backend.capture ? recorder : common;
    if (known && known !== backend) {
      throw new BackendError(
        'backend-mixed',
        `${op}: inputs are on ${namesOf(known, backend)}; move one with await tensor.to(backend)`,
      );
    }
    if (backend.capture) recorder = backend;
    else common = backend;
  }
  return recorder ?? common ?? fallback ?? currentBackend();
}

const builder: Builder<Tensor> = {
  run: (op, inputs, attributes) => dispatch(op, inputs, attributes),
  constant: (spec, data) => fromHost(spec, data),
  spec: (value) => value.spec,
};

function decompose<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attributes: OpAttributes[K],
  backend: Backend,
): Tensor[] {
  const { decompose: formula } = definition(op);
  if (!formula) {
    throw new BackendError(
      'backend-unsupported',
      `backend '${backend.name}' does not run the required op '${op}' for these inputs, and nothing can stand in for it`,
    );
  }
  count(op, 'decomposed');
  return onBackend(backend, () => scope(() => [...formula(builder, inputs, attributes)]));
}

/** Handles of the inputs on `backend`; `release` gives back those that a recorder captured for this call. */
function handlesOn(
  op: OpName,
  backend: Backend,
  inputs: readonly Tensor[],
): { handles: Handle[]; release: () => void } {
  const handles = inputs.map((tensor, i) => tensor.handleFor(op, i));
  const captured: Handle[] = [];
  for (const [i, tensor] of inputs.entries()) {
    if (tensor.backend === backend) continue;
    handles[i] = backend.capture!(tensor.backend, handles[i]!);
    captured.push(handles[i]!);
  }
  return { handles, release: () => captured.forEach((handle) => backend.release(handle)) };
}

/** Positions whose tensors the op ends, each tensor once. */
function donations(
  inputs: readonly Tensor[],
  donate: readonly number[] | undefined,
  backend: Backend,
): number[] {
  const seen = new Set<Tensor>();
  return (donate ?? []).filter((position) => {
    const tensor = inputs[position]!;
    if (tensor.backend !== backend || seen.has(tensor)) return false;
    seen.add(tensor);
    return true;
  });
}

/**
 * Runs an op of the catalogue. The outputs are the caller's (the current scope's); gradients flow through output 0 only.
 * Throws a DataError for an input that is no tensor, and what the catalogue's rule and the backend throw.
 */
export function dispatch<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attributes: OpAttributes[K],
  options: DispatchOptions = {},
): Tensor[] {
  const stray = inputs.findIndex((input) => !isTensor(input));
  if (stray >= 0) expectTensor(op, `input ${stray}`, inputs[stray]);
  const backend = commonBackend(op, inputs, options.backend);
  const { handles, release } = handlesOn(op, backend, inputs);
  try {
    const entry = definition(op);
    const specs = handles.map(({ spec }) => spec);
    entry.infer(specs, attributes);
    const donated = donations(inputs, options.donate, backend);
    const taped =
      isGradEnabled() &&
      entry.gradient !== 'none' &&
      inputs.some(({ requiresGrad }) => requiresGrad);
    const saves = taped ? savedPositions(op, attributes) : null;
    const note = (outputs: readonly Handle[]): TapeNode<K> | null =>
      saves && noteNode(op, inputs, handles, attributes, backend, outputs, saves);

    if (taped && !saves) {
      const outputs = decompose(op, inputs, attributes, backend);
      for (const position of donated) inputs[position]!.dispose();
      return outputs;
    }
    if (!backend.supports(op, specs, attributes)) {
      let outputs = noGrad(() => decompose(op, inputs, attributes, backend));
      const node = note(outputs.map(({ handle }) => handle));
      if (node)
        outputs = [new Tensor(backend, outputs[0]!.take().handle, node), ...outputs.slice(1)];
      for (const position of donated) inputs[position]!.dispose();
      return outputs;
    }
    count(op, 'run');
    // A value that the tape keeps cannot be given away.
    const consumed = saves ? [] : donated;
    const outputs = backend.run(op, handles, attributes, consumed);
    const node = note(outputs);
    for (const position of donated) {
      if (saves) inputs[position]!.dispose();
      else inputs[position]!.forget();
    }
    const tensors = outputs.map((handle, i) => new Tensor(backend, handle, i === 0 ? node : null));
    observer?.(op, tensors);
    return tensors;
  } finally {
    release();
  }
}

function noteNode<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  handles: readonly Handle[],
  attributes: OpAttributes[K],
  backend: Backend,
  outputs: readonly Handle[],
  saved: SavedPositions,
): TapeNode<K> {
  const inputValues = inputs.map((tensor, i): Saved => ({
    spec: handles[i]!.spec,
    handle: saved.inputs.includes(i) ? handles[i]! : null,
    origin: originOf(tensor),
  }));
  const outputValues = outputs.map((handle, i): Saved => ({
    spec: handle.spec,
    handle: saved.outputs.includes(i) ? handle : null,
    origin: null,
  }));
  return new TapeNode(op, attributes, backend, inputValues, outputValues);
}

/** The first output of an op. */
export function run<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attributes: OpAttributes[K],
  options?: DispatchOptions,
): Tensor {
  const [first, ...rest] = dispatch(op, inputs, attributes, options);
  for (const other of rest) other.dispose();
  return first!;
}
