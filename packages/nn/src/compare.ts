// The same model on several backends, layer by layer: where they part, and by how much.

import {
  current,
  DataError,
  formatShape,
  noGrad,
  onBackend,
  scope,
  tensor,
  use,
  type Backend,
  type Data,
  type Shape,
  type Tensor,
} from '@convoke/core';

import { formatTable } from './table.ts';
import type { Module } from './module.ts';
import { moveSlots } from './move.ts';
import { watchForward } from './watch.ts';

export interface CompareOptions {
  /** Difference, as a share of a layer's largest element, up to which backends agree. Default 1e-4. */
  readonly tolerance?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called before each backend runs. */
  readonly onProgress?: ((done: number, total: number, backend: string) => void) | undefined;
}

export interface LayerComparison {
  /** As in the state dict; the empty name is the whole model. One that runs twice stands there twice. */
  readonly name: string;
  /** Name of the class. */
  readonly type: string;
  readonly shape: Shape;
  /** Of each backend but the first, in their order: max|y - ref| / max|ref|, with the first backend's output as ref. */
  readonly differences: readonly number[];
}

export interface BackendComparison {
  /** Names of the backends, the reference first. */
  readonly backends: readonly string[];
  readonly tolerance: number;
  /** In the order in which they finish. */
  readonly layers: readonly LayerComparison[];
  /** For each backend but the first: its largest difference and where that is, and the first layer beyond the tolerance. */
  readonly summaries: readonly {
    readonly backend: string;
    readonly largest: { readonly layer: string; readonly difference: number };
    readonly firstBeyond: string | null;
  }[];
  toString(): string;
}

interface Output {
  readonly name: string;
  readonly type: string;
  readonly shape: Shape;
  readonly data: Promise<Data>;
}

function outputsOn(model: Module, backend: Backend, x: { data: Data; tensor: Tensor }): Output[] {
  const outputs: Output[] = [];
  const { shape, dtype } = x.tensor;
  onBackend(backend, () =>
    noGrad(() =>
      scope(() => {
        const input = tensor(x.data, { shape, dtype, backend });
        watchForward(
          model,
          (name, module, run) => {
            const y = run();
            const data = y.data();
            // Whoever awaits it later sees the failure; until then it is no unhandled rejection.
            data.catch(() => undefined);
            outputs.push({ name, type: module.constructor.name, shape: y.shape, data });
            return y;
          },
          () => {
            model.forward(input);
          },
        );
      }),
    ),
  );
  return outputs;
}

/** max|y - ref| / max|ref|; infinite where only one of the two is a number. */
function differenceOf(values: Data, reference: Data): number {
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < reference.length; i++) {
    const [value, expected] = [values[i]!, reference[i]!];
    if (Object.is(value, expected)) continue;
    const apart = Math.abs(value - expected);
    difference = Math.max(difference, Number.isNaN(apart) ? Infinity : apart);
    if (Number.isFinite(expected)) largest = Math.max(largest, Math.abs(expected));
  }
  for (const expected of reference)
    if (Number.isFinite(expected)) largest = Math.max(largest, Math.abs(expected));
  return difference === 0 ? 0 : difference / (largest || 1);
}

/**
 * Runs the model in evaluation mode on each backend (registered names, or instances) and compares every module's output with
 * that on the first. The model comes back to where it was, in the mode it was in, whatever happens; the current backend stays
 * what it is. Throws a DataError for fewer than two backends, and what `use` throws for one that cannot be had.
 */
export async function compareBackends(
  model: Module,
  x: Tensor,
  backends: readonly (string | Backend)[],
  options: CompareOptions = {},
): Promise<BackendComparison> {
  const { tolerance = 1e-4, signal, onProgress } = options;
  if (backends.length < 2) {
    throw new DataError(
      `compareBackends: expected at least two backends, got ${backends.length}; name the reference first, as in ['js', 'workers']`,
    );
  }
  const instances = await instancesOf(backends);
  const slots = [...model.stateDict().values()];
  const home = new Map(slots.map((slot) => [slot, slot.backend]));
  const training = [...model.namedModules().values()].map(
    (module) => [module, module.training] as const,
  );
  const data = await x.data();
  let reference: { output: Output; values: Data }[] = [];
  const differences: number[][] = [];
  model.eval();
  try {
    for (const [i, backend] of instances.entries()) {
      signal?.throwIfAborted();
      onProgress?.(i, instances.length, backend.name);
      await moveSlots(slots, backend);
      const outputs = outputsOn(model, backend, { data, tensor: x });
      const values: Data[] = [];
      for (const output of outputs) values.push(await output.data);
      if (i === 0) reference = outputs.map((output, k) => ({ output, values: values[k]! }));
      else differences.push(reference.map((ref, k) => differenceOf(values[k]!, ref.values)));
    }
  } finally {
    for (const [module, mode] of training) module.training = mode;
    for (const backend of new Set(home.values()))
      await moveSlots(
        slots.filter((slot) => home.get(slot) === backend),
        backend,
      );
  }
  const names = instances.map(({ name }) => name);
  const layers = reference.map(({ output: { name, type, shape } }, k) => ({
    name,
    type,
    shape,
    differences: differences.map((column) => column[k]!),
  }));
  const summaries = names.slice(1).map((backend, i) => summarize(backend, i, layers, tolerance));
  return {
    backends: names,
    tolerance,
    layers,
    summaries,
    toString: () => render(names, tolerance, layers, summaries),
  };
}

async function instancesOf(backends: readonly (string | Backend)[]): Promise<Backend[]> {
  const before = current();
  try {
    const instances: Backend[] = [];
    for (const backend of backends)
      instances.push(typeof backend === 'string' ? await use(backend) : backend);
    return instances;
  } finally {
    await use(before);
  }
}

const called = (name: string): string => (name === '' ? 'the model' : name);

function summarize(
  backend: string,
  column: number,
  layers: readonly LayerComparison[],
  tolerance: number,
): BackendComparison['summaries'][number] {
  let largest = { layer: '', difference: 0 };
  for (const { name, differences } of layers) {
    const difference = differences[column]!;
    if (difference > largest.difference) largest = { layer: name, difference };
  }
  const beyond = layers.find(({ differences }) => differences[column]! > tolerance);
  return { backend, largest, firstBeyond: beyond ? beyond.name : null };
}

function render(
  names: readonly string[],
  tolerance: number,
  layers: readonly LayerComparison[],
  summaries: BackendComparison['summaries'],
): string {
  const table = formatTable(
    ['layer', 'type', 'shape', ...names.slice(1)],
    layers.map(({ name, type, shape, differences }) => [
      called(name),
      type,
      formatShape(shape),
      ...differences.map((difference) => difference.toExponential(1)),
    ]),
    { leftColumns: 3 },
  );
  const words = summaries.map(({ backend, largest, firstBeyond }) => {
    const most = `largest ${largest.difference.toExponential(1)}${largest.difference > 0 ? ` at ${called(largest.layer)}` : ''}`;
    const verdict =
      firstBeyond === null
        ? `within ${tolerance} everywhere`
        : `first beyond ${tolerance} at ${called(firstBeyond)}`;
    return `${backend} against ${names[0]}: ${verdict}, ${most}`;
  });
  return [table, '', ...words].join('\n');
}
