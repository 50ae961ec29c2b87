// How the tests compute ops: on the backend as it is, over donated inputs, by the catalogue's decomposition over required ops
// only, and element by element from a definition.

import {
  allocate,
  definition,
  sizeOf,
  type Backend,
  type Builder,
  type Data,
  type Dtype,
  type Handle,
  type OpAttributes,
  type OpName,
  type Shape,
  type Spec,
} from '@convoke/backend-api';
import fc from 'fast-check';

import { createJs } from '../src/index.ts';
import type { Arrays, Kernel, Value } from '../src/kernel.ts';
import { kernels } from '../src/kernels/index.ts';

export function float(values: readonly number[], shape: Shape = [values.length]): Value {
  return { spec: { shape, dtype: 'float32' }, data: Float32Array.from(values) };
}

export function int(values: readonly number[], shape: Shape = [values.length]): Value {
  return { spec: { shape, dtype: 'int32' }, data: Int32Array.from(values) };
}

export function bool(values: readonly number[], shape: Shape = [values.length]): Value {
  return { spec: { shape, dtype: 'bool' }, data: Uint8Array.from(values) };
}

/** Numbers in [-3, 3], the same for the same seed; multiples of 1/64, so that sums of some are exact. */
export function pseudoRandom(
  shape: Shape,
  seed: number,
  dtype: 'float32' | 'int32' = 'float32',
): Value {
  const data = allocate(dtype, sizeOf(shape));
  let state = Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const whole = ((state >>> 8) % 385) - 192;
    data[i] = dtype === 'int32' ? whole : whole / 64;
  }
  return { spec: { shape, dtype }, data };
}

/** Computes on a backend of its own, and checks that borrowed inputs stay as they are. */
function onBackend(
  backend: Backend,
  values: readonly Value[],
  compute: (handles: readonly Handle[]) => readonly Handle[],
): Value[] {
  try {
    const handles = values.map(({ spec, data }) => backend.upload(spec, data));
    const before = handles.map((handle) => backend.readSync!(handle));
    const outputs = compute(handles).map((handle): Value => ({
      spec: handle.spec,
      data: backend.readSync!(handle),
    }));
    for (const [i, handle] of handles.entries()) {
      if (backend.readSync!(handle).some((element, k) => !Object.is(element, before[i]![k]))) {
        throw new Error(`the op changed its borrowed input ${i}`);
      }
    }
    return outputs;
  } finally {
    backend.dispose();
  }
}

/** Arrays such as a pool gives: full of what was there before. */
const usedArrays: Arrays = {
  take: ((dtype, length) =>
    allocate(dtype, length).fill(dtype === 'float32' ? NaN : 113)) as Arrays['take'],
  zeros: allocate as Arrays['zeros'],
  give: () => undefined,
};

/** Runs the op, borrowing its inputs, and once more over used arrays, which must make no difference. */
export function run<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  ...inputs: Value[]
): Value[] {
  const backend = createJs();
  const outputs = onBackend(backend, inputs, (handles) => backend.run(op, handles, attributes));
  const specs = outputs.map(({ spec }) => spec);
  const kernel = kernels[op] as Kernel<K>;
  const again = kernel(
    inputs,
    attributes,
    specs,
    inputs.map(() => null),
    usedArrays,
  );
  for (const [i, { data }] of outputs.entries()) {
    if (data.some((element, k) => !Object.is(element, again[i]![k]))) {
      throw new Error(`${op} left elements of output ${i} as they were in a used array`);
    }
  }
  return outputs;
}

/** What the op gives when every input is donated and nobody else holds it. */
export function runInPlace<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  ...inputs: Value[]
): Value[] {
  const backend = createJs();
  const handles = inputs.map(({ spec, data }) => backend.upload(spec, data));
  const outputs = backend.run(op, handles, attributes, [...handles.keys()]);
  return outputs.map((handle) => ({ spec: handle.spec, data: backend.readSync!(handle) }));
}

/** The op by its decomposition, down to required ops. */
export function runDecomposed<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  ...inputs: Value[]
): Value[] {
  const backend = createJs({ decomposeOnly: true });
  const builder: Builder<Handle> = {
    run(name, handles, own) {
      const specs = handles.map(({ spec }) => spec);
      const { infer, decompose } = definition(name);
      infer(specs, own);
      return backend.supports(name, specs, own)
        ? backend.run(name, handles, own)
        : decompose!(builder, handles, own);
    },
    constant: (spec, data) => backend.upload(spec, data),
    spec: (handle) => handle.spec,
  };
  return onBackend(backend, inputs, (handles) => builder.run(op, handles, attributes));
}

export function eachIndex(
  shape: Shape,
  visit: (index: readonly number[], flat: number) => void,
): void {
  for (let flat = 0; flat < sizeOf(shape); flat++) {
    let rest = flat;
    const index = shape.map(() => 0);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    visit(index, flat);
  }
}

/** The element at `index`; leading axes that the value lacks and axes of length 1 are read as broadcast. */
export function at({ spec: { shape }, data }: Value, index: readonly number[]): number {
  let flat = 0;
  for (const [axis, length] of shape.entries()) {
    flat = flat * length + (length === 1 ? 0 : index[index.length - shape.length + axis]!);
  }
  return data[flat]!;
}

/** A value whose element at each index is what the definition says. */
export function defined(spec: Spec, element: (index: readonly number[]) => number): Value {
  const data = allocate(spec.dtype, sizeOf(spec.shape));
  eachIndex(spec.shape, (index, flat) => {
    data[flat] = element(index);
  });
  return { spec, data };
}

/** Largest difference, relative where the value exceeds 1; infinite where one is NaN and the other isn't. */
export function distance(actual: Data, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let most = 0;
  for (const [i, a] of actual.entries()) {
    const e = Math.fround(expected[i]!);
    if (Object.is(a, e) || a === e) continue;
    const difference = Math.abs(a - e) / Math.max(1, Math.abs(e));
    most = Math.max(most, Number.isNaN(difference) ? Infinity : difference);
  }
  return most;
}

/** Shapes of up to `rank` axes and few elements; lengths from `least`. */
export function shapes(rank = 4, least = 0): fc.Arbitrary<number[]> {
  return fc.array(fc.integer({ min: least, max: 5 }), { minLength: 0, maxLength: rank });
}

export const dtypes: readonly Dtype[] = ['float32', 'int32', 'uint8', 'bool'];
