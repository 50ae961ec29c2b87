// Ops that depend on the order of elements along an axis of a contiguous tensor: where the extreme is, running sums, sorting.

import type { Encoder } from '../encoder.ts';
import type { KernelName } from '../generated/kernels.ts';
import { aroundAxis } from './axes.ts';
import { cut } from './cut.ts';

export interface ArgExtremePlan {
  readonly op: 'argMax' | 'argMin';
  readonly dtype: 'float32' | 'int32';
  /** Without zeros. */
  readonly shape: readonly number[];
  readonly axis: number;
  readonly x: number;
  /** int32, contiguous in the order of the axes kept. */
  readonly y: number;
}

export interface CumsumPlan {
  readonly shape: readonly number[];
  readonly axis: number;
  readonly x: number;
  /** May be `x`. */
  readonly y: number;
}

export interface SortPlan {
  readonly dtype: 'float32' | 'int32';
  readonly shape: readonly number[];
  readonly axis: number;
  readonly descending: boolean;
  readonly x: number;
  /** May be `x`. */
  readonly values: number;
  /** int32 */
  readonly indices: number;
}

/** Elements a chunk at least. */
const ELEMENTS = 32768;

/** Index of the first largest or smallest element along the axis; NaN exceeds everything, both ways. */
export function planArgExtreme(e: Encoder, plan: ArgExtremePlan): void {
  const { op, dtype, shape, axis, x, y } = plan;
  const { outer, length, inner } = aroundAxis(shape, axis);
  const suffix = dtype === 'int32' ? 'Int32' : '';
  if (inner === 1) {
    const { chunks, perChunk } = cut(e, outer, Math.ceil(ELEMENTS / length));
    e.emit(`${op}${suffix}`, chunks, [x, y, outer, perChunk, length]);
    return;
  }
  const groups = Math.ceil(inner / 4);
  const { chunks, perChunk } = cut(e, outer * groups, Math.ceil(ELEMENTS / length / 4), 4);
  const words = [x, y, outer * groups, perChunk, length, inner, groups];
  e.emit(`${op}${suffix}Columns` as KernelName, chunks, words);
}

/** Inclusive running sums of float32, kept in float64. */
export function planCumsum(e: Encoder, { shape, axis, x, y }: CumsumPlan): void {
  const { outer, length, inner } = aroundAxis(shape, axis);
  const groups = Math.ceil(inner / 4);
  const { chunks, perChunk } = cut(e, outer * groups, Math.ceil(ELEMENTS / length / 4), 4);
  e.emit('cumsum', chunks, [x, y, outer * groups, perChunk, length, inner, groups]);
}

/** Stable; -0 equals 0, NaN is largest. One thread sorts a line. */
export function planSort(e: Encoder, plan: SortPlan): void {
  const { dtype, shape, axis, descending, x, values, indices } = plan;
  const { outer, length, inner } = aroundAxis(shape, axis);
  const { chunks, perChunk } = cut(e, outer * inner, Math.ceil(ELEMENTS / 16 / length));
  // Keys and places, and room to move them to.
  const bytes = Math.ceil((length * 16) / 64) * 64;
  const space = e.workspace(bytes * chunks);
  e.emit('sort', chunks, [
    x,
    values,
    indices,
    outer * inner,
    perChunk,
    length,
    inner,
    Number(dtype === 'float32'),
    Number(descending),
    space,
    bytes,
  ]);
}
