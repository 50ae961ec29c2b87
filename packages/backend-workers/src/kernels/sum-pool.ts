// Sums and averages of windows, and their gradients, which give each element of a window the same share. Channels last
// throughout. A window without elements sums to 0.

import { f32, type Encoder } from '../encoder.ts';
import { cutRows, windowWords, type PoolShape, type Window } from './pool-geometry.ts';

/** As averagePool2d has it in the catalogue; a number divides all windows (1: sums). */
export type Divisor = 'kernel' | 'valid' | 'padded' | number;

export interface SumPool2d extends PoolShape, Window {
  /** The images, or in the gradient's plan the gradient of the pooled images. */
  readonly x: number;
  readonly y: number;
  readonly divisor: Divisor;
  /** The padding that 'padded' counts. */
  readonly countedPadding?: readonly [number, number, number, number];
}

/** Words of the divisor: whether it counts elements, the number if not, the padding it counts. */
function divisorWords({ divisor, kernelSize, padding, countedPadding }: SumPool2d): number[] {
  if (typeof divisor === 'number') return [0, f32(divisor), 0, 0, 0, 0];
  const counted = (divisor === 'padded' ? countedPadding : undefined) ?? [0, 0, 0, 0];
  // No window reaches beyond the padding: where all of that counts, windows are whole.
  const whole = counted.every((length, side) => length === padding[side]);
  if (divisor !== 'kernel' && !whole) return [1, 0, ...counted];
  return [0, f32(kernelSize[0] * kernelSize[1]), 0, 0, 0, 0];
}

/** sumPool2d (divisor 1) and averagePool2d. */
export function planSumPool2d(e: Encoder, plan: SumPool2d): void {
  const { x, y, n, c, outHeight, outWidth, kernelSize } = plan;
  const taps = kernelSize[0] * kernelSize[1];
  const { chunks, words } = cutRows(e, { rows: n * outHeight, width: outWidth, c, taps });
  e.emit('sumPool', chunks, [...windowWords(plan, plan), ...words, x, y, ...divisorWords(plan)]);
}

/** The gradient: x is [N, outHeight, outWidth, C], y [N, height, width, C]. Each element of y gathers its windows' shares. */
export function planSumPool2dGradient(e: Encoder, plan: SumPool2d): void {
  const { x, y, n, c, height, width, outHeight, outWidth, kernelSize, stride } = plan;
  const window = windowWords(plan, plan);
  const divisor = divisorWords(plan);
  let shares = x;
  if (divisor[0] === 1) {
    // Where windows differ in their number of elements, their shares are made first.
    shares = e.workspace(n * outHeight * outWidth * c * 4);
    const { chunks, words } = cutRows(e, { rows: n * outHeight, width: outWidth, c, taps: 1 });
    e.emit('poolShares', chunks, [...window, ...words, x, shares, ...divisor]);
  }
  const taps = Math.ceil(kernelSize[0] / stride[0]) * Math.ceil(kernelSize[1] / stride[1]);
  const { chunks, words } = cutRows(e, { rows: n * height, width, c, taps });
  const all = divisor[0] === 1 ? f32(1) : divisor[1]!;
  e.emit('sumPoolGradient', chunks, [...window, ...words, shares, y, all]);
}
