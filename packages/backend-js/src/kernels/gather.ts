// Picking and adding along an axis by a tensor of indices.

import { DataError, formatShape, type Data } from '@convoke/backend-api';

import type { Kernel, Kernels, Value } from '../kernel.ts';
import { aroundAxis } from './axis.ts';

/** Throws a DataError for the first index outside 0 to `length` - 1. */
export function checkIndices(
  op: string,
  { data, spec }: Value,
  length: number,
  what: string,
): void {
  for (let i = 0; i < data.length; i++) {
    const index = data[i]!;
    if (index >= 0 && index < length) continue;
    const range = length === 0 ? 'there is nothing to pick from' : `expected 0 to ${length - 1}`;
    throw new DataError(
      `${op}: ${what} is out of range: element ${i} of ${formatShape(spec.shape)} is ${index}; ${range}`,
    );
  }
}

const gather: Kernel<'gather'> = ([x, indices], { axis }, [spec], _, arrays) => {
  const { outer, length, inner } = aroundAxis(x!.spec.shape, axis);
  const picks = spec!.shape[axis]!;
  const index = indices!.data;
  checkIndices('gather', indices!, length, 'an index');
  const y = arrays.take(spec!.dtype, index.length);
  gatherInto(x!.data, index, y, outer, length, picks, inner);
  return [y];
};

function gatherInto(
  x: Data,
  index: Data,
  y: Data,
  outer: number,
  length: number,
  picks: number,
  inner: number,
): void {
  let at = 0;
  for (let o = 0; o < outer; o++) {
    const base = o * length * inner;
    for (let k = 0; k < picks; k++) {
      for (let i = 0; i < inner; i++, at++) y[at] = x[base + index[at]! * inner + i]!;
    }
  }
}

const scatterAdd: Kernel<'scatterAdd'> = (
  [x, indices, updates],
  { axis },
  [spec],
  reuse,
  arrays,
) => {
  const { outer, length, inner } = aroundAxis(spec!.shape, axis);
  const picks = indices!.spec.shape[axis]!;
  const [index, added] = [indices!.data, updates!.data];
  checkIndices('scatterAdd', indices!, length, 'an index');
  let y = reuse[0] ?? null;
  if (!y) {
    y = arrays.take(spec!.dtype, x!.data.length);
    y.set(x!.data);
  }
  let at = 0;
  for (let o = 0; o < outer; o++) {
    const base = o * length * inner;
    for (let k = 0; k < picks; k++) {
      for (let i = 0; i < inner; i++, at++) y[base + index[at]! * inner + i]! += added[at]!;
    }
  }
  return [y];
};

export const gatherKernels: Kernels = { gather, scatterAdd };
