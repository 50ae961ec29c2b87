// The standard for everything: every op of the catalogue in float64 by simple loops, the optional ones by their
// decomposition. Slow and obviously right; nothing here is shared with a backend.

import {
  BackendError,
  definition,
  threefry2x32,
  type Builder,
  type Data,
  type OpAttributes,
  type OpName,
  type Spec,
} from '@convoke/backend-api';

import { elementwise } from './elementwise.ts';
import type { Kernel, Kernels } from './kernel.ts';
import { linear } from './linear.ts';
import { movement } from './movement.ts';
import { reductions } from './reductions.ts';
import { build, fromData, type NaiveValue } from './value.ts';

export { fromData, toData, type NaiveValue } from './value.ts';

const creation: Kernels<'fill' | 'iota' | 'randomBits'> = {
  fill: (_, { value }, [spec]) => [build(spec!, () => value)],
  iota: (_, { axis }, [spec]) => [build(spec!, (index) => index[axis]!)],
  randomBits: ([key], _, [spec]) => [
    build(spec!, (__, flat) => {
      const [key0, key1] = key!.data as unknown as [number, number];
      return threefry2x32(key0, key1, flat >>> 1, 0)[flat % 2]! >>> 8;
    }),
  ],
};

const kernels: { readonly [K in OpName]?: Kernel<K> } = {
  ...creation,
  ...elementwise,
  ...reductions,
  ...movement,
  ...linear,
};

/** Runs an op on plain values. Throws what the catalogue's rule throws, and a DataError for an index out of range. */
export function runNaive<K extends OpName>(
  op: K,
  inputs: readonly NaiveValue[],
  attributes: OpAttributes[K],
): readonly NaiveValue[] {
  const { infer, decompose } = definition(op);
  const outputs = infer(
    inputs.map(({ spec }) => spec),
    attributes,
  );
  const kernel = kernels[op] as Kernel<K> | undefined;
  if (kernel) return kernel(inputs, attributes, outputs);
  if (!decompose) {
    throw new BackendError(
      'backend-unsupported',
      `the naive reference lacks the required op '${op}'; write it in backend-testkit/src/naive`,
    );
  }
  return decompose(naive, inputs, attributes);
}

export const naive: Builder<NaiveValue> = {
  run: runNaive,
  constant: (spec: Spec, data: Data) => fromData(spec, data),
  spec: (value) => value.spec,
};
