// Weighted sums of windows along an axis: y[o][i][k] = sum over t of weights[i][t] * x[o][starts[i] + t][k]. Taps of weight 0
// and those outside the axis add nothing.

import type { Encoder } from '../encoder.ts';
import { cut } from './cut.ts';

export interface Resample {
  readonly x: number;
  /** Addresses of weights [output, taps] and int32 starts [output]. */
  readonly weights: number;
  readonly starts: number;
  readonly y: number;
  readonly outer: number;
  /** Elements along the axis, of x and of y. */
  readonly length: number;
  readonly output: number;
  readonly taps: number;
  readonly inner: number;
}

/** Elements that fit a thread's scratch memory. */
const SCRATCH = 65536;
/** Lines that are computed side by side. */
const MOST_LINES = 16;
/** Elements inside from which rows are computed where they lie. Single ones take four to eight times as long there. */
const LEAST_INSIDE = 12;

export function planResample(e: Encoder, plan: Resample): void {
  const { x, weights, starts, y, outer, length, output, taps, inner } = plan;
  const common = [x, weights, starts, y, length, output, taps, inner];
  const lines = outer * inner;
  const fitting = Math.floor(SCRATCH / (length + output) / 4) * 4;
  const group = Math.min(MOST_LINES, Math.ceil(lines / 4) * 4, fitting);
  if (inner < LEAST_INSIDE && group > 0) {
    const units = Math.ceil(lines / group);
    const { chunks, perChunk } = cut(
      e,
      units,
      65536 / (group * (2 * length + output * (taps + 2))),
    );
    e.emit('resampleLines', chunks, [...common, units, perChunk, lines, group]);
    return;
  }
  const { chunks, perChunk } = cut(e, outer * output, 65536 / (inner * (taps + 2)));
  e.emit('resampleRows', chunks, [...common, outer * output, perChunk]);
}
