// Tensors from nothing but attributes, or from a random key; and the change of dtype.

import { sizeOf, stridesOf, type Data } from '@convoke/backend-api';

import type { Kernel, Kernels } from '../kernel.ts';

const fill: Kernel<'fill'> = (_, { value }, [spec], __, arrays) => {
  const size = sizeOf(spec!.shape);
  const stored = spec!.dtype === 'bool' ? Number(value !== 0) : value;
  if (stored === 0) return [arrays.zeros(spec!.dtype, size)];
  return [arrays.take(spec!.dtype, size).fill(stored)];
};

const iota: Kernel<'iota'> = (_, { axis }, [spec], __, arrays) => {
  const { shape, dtype } = spec!;
  const y = arrays.take(dtype, sizeOf(shape));
  const run = stridesOf(shape)[axis]!;
  const length = shape[axis]!;
  for (let at = 0, index = 0; at < y.length; at += run) {
    y.fill(index, at, at + run);
    index = index + 1 === length ? 0 : index + 1;
  }
  return [y];
};

/** float32 to int32 and uint8 truncates, then wraps, on storing. */
const cast: Kernel<'cast'> = ([x], { dtype }, _, __, arrays) => {
  const { data, spec } = x!;
  if (dtype === spec.dtype || (dtype === 'uint8' && spec.dtype === 'bool')) return [data];
  const y = arrays.take(dtype, data.length);
  if (dtype === 'bool') toBool(data, y);
  else y.set(data);
  return [y];
};

function toBool(x: Data, y: Data): void {
  for (let i = 0; i < y.length; i++) y[i] = x[i] === 0 ? 0 : 1;
}

export const creationKernels: Kernels = { fill, iota, cast };
