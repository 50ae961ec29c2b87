// Runs kernels without a backend: on outputs and scratch full of NaN, so that an element a kernel forgets to write shows,
// and by way of the catalogue's decompositions.

import {
  allocate,
  definition,
  formatShape,
  formatSpec,
  sizeOf,
  type Builder,
  type Data,
  type OpAttributes,
  type OpName,
  type Shape,
  type Spec,
} from '@convoke/backend-api';
import type { Arrays, Kernel, Value } from '../../src/kernel.ts';
import { kernels } from '../../src/kernels/index.ts';

function take(dtype: Spec['dtype'], length: number): Data {
  return allocate(dtype, length).fill(dtype === 'float32' ? NaN : 77);
}

/** Arrays as a pool gives them: what they hold is arbitrary. */
const usedArrays: Arrays = {
  take: take as Arrays['take'],
  zeros: allocate as Arrays['zeros'],
  give: (data) => void data.fill(NaN),
};

export function run<K extends OpName>(
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  reuse: readonly (Data | null)[] = inputs.map(() => null),
): Value[] {
  const outputs = definition(op).infer(
    inputs.map((input) => input.spec),
    attributes,
  );
  const kernel = kernels[op] as Kernel<K>;
  const results = kernel(inputs, attributes, outputs, reuse, usedArrays);
  return outputs.map((spec, i) => {
    if (results[i]!.length !== sizeOf(spec.shape)) {
      throw new Error(
        `${op}: output ${i} has ${results[i]!.length} elements, not ${formatSpec(spec)}`,
      );
    }
    return { spec, data: results[i]! };
  });
}

const builder: Builder<Value> = {
  run(op, inputs, attributes) {
    if (op === 'reshape') {
      const { shape } = attributes as OpAttributes['reshape'];
      return [{ spec: { shape, dtype: inputs[0]!.spec.dtype }, data: inputs[0]!.data }];
    }
    return kernels[op] ? run(op, inputs, attributes) : decomposed(op, inputs, attributes);
  },
  constant: (spec, data) => ({ spec, data }),
  spec: (value) => value.spec,
};

/** The op by its decomposition, whose steps are kernels. */
export function decomposed<K extends OpName>(
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
): readonly Value[] {
  return definition(op).decompose!(builder, inputs, attributes);
}

export function tensor(shape: Shape, values: Iterable<number>): Value {
  const data = Float32Array.from(values);
  if (data.length !== sizeOf(shape)) throw new Error(`not ${formatShape(shape)}: ${data.length}`);
  return { spec: { shape, dtype: 'float32' }, data };
}

/** Values in [-1, 1) that depend on the seed only. */
export function randomTensor(shape: Shape, seed: number): Value {
  let state = (seed * 2654435761 + 12345) >>> 0;
  const data = new Float32Array(sizeOf(shape)).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return { spec: { shape, dtype: 'float32' }, data };
}

interface Reference {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
}

/**
 * How `actual` differs from `expected`: nothing where shapes are equal and every element lies within 1e-6 * max(1,
 * |expected|), NaN and infinities only where expected.
 */
export function differences(actual: Value, { shape, data }: Reference): string[] {
  const [got, wanted] = [actual.spec.shape, shape].map(formatShape) as [string, string];
  if (got !== wanted || actual.data.length !== data.length) {
    return [`${got} of ${actual.data.length} elements, expected ${wanted} of ${data.length}`];
  }
  const found: string[] = [];
  for (let i = 0; i < data.length; i++) {
    const [value, reference] = [actual.data[i]!, data[i]!];
    const close = Math.abs(value - reference) <= 1e-6 * Math.max(1, Math.abs(reference));
    const finite = Number.isFinite(reference) && Number.isFinite(value);
    if (finite ? !close : !Object.is(value, reference)) {
      found.push(`element ${i} is ${value}, expected ${reference}`);
    }
  }
  return found;
}

/** `differences` of the outputs of two ways to run an op. */
export function differencesOfAll(actual: readonly Value[], expected: readonly Value[]): string[] {
  if (actual.length !== expected.length) return [`${actual.length} outputs of ${expected.length}`];
  return actual.flatMap((value, i) =>
    differences(value, { shape: expected[i]!.spec.shape, data: expected[i]!.data }),
  );
}
