// Picking and adding along an axis by indices. An index out of range fails the command (`indexOutOfRange`, with the index);
// negative ones are out of range.

import type { Encoder } from '../encoder.ts';
import { cut } from './cut.ts';
import { planCopy } from './copy.ts';
import type { ElementBytes } from './movement.ts';

/** All tensors in C order, seen as [outer, axis, inner]. */
interface AlongAxis {
  readonly x: number;
  /** Address of int32 [outer, picks, inner]. */
  readonly indices: number;
  readonly y: number;
  readonly outer: number;
  /** Elements of x along the axis. */
  readonly length: number;
  readonly picks: number;
  readonly inner: number;
}

export interface Gather extends AlongAxis {
  readonly elementBytes: ElementBytes;
}

/** y[o][p][i] = x[o][indices[o][p][i]][i] */
export function planGather(e: Encoder, plan: Gather): void {
  const { x, indices, y, outer, length, picks, inner, elementBytes } = plan;
  const count = outer * picks * inner;
  const { chunks, perChunk } = cut(e, count, 16384, 64);
  const kernel = elementBytes === 4 ? 'gather' : 'gatherBytes';
  e.emit(kernel, chunks, [x, indices, y, length, picks, inner, count, perChunk]);
}

export interface ScatterAdd extends AlongAxis {
  readonly updates: number;
  readonly dtype: 'float32' | 'int32';
}

/**
 * y is x with updates[o][p][i] added at [o][indices[o][p][i]][i], in ascending order of p. y may be x: then it is changed in
 * place.
 */
export function planScatterAdd(e: Encoder, plan: ScatterAdd): void {
  const { x, indices, updates, y, outer, length, picks, inner, dtype } = plan;
  if (y !== x) planCopy(e, { from: x, to: y, bytes: outer * length * inner * 4 });
  if (picks === 0) return;
  // A unit is a strip of an outer index: a whole number of cache lines, so that threads do not write to the same.
  const most = Math.max(16, Math.ceil(inner / 16 / e.threads) * 16);
  const strip = Math.min(inner, Math.max(16, Math.min(most, 256)));
  const strips = Math.ceil(inner / strip);
  const units = outer * strips;
  const { chunks, perChunk } = cut(e, units, Math.ceil(8192 / (picks * strip)));
  e.emit(dtype === 'float32' ? 'scatterAdd' : 'scatterAddInt32', chunks, [
    indices,
    updates,
    y,
    length,
    picks,
    inner,
    strip,
    strips,
    units,
    perChunk,
  ]);
}
