// Maxima of windows with their places, and the gradient that goes to these places. Channels last throughout.

import type { Encoder } from '../encoder.ts';
import { cut } from './cut.ts';
import { cutRows, windowWords, type PoolShape, type Window } from './pool-geometry.ts';

export interface MaxPool2d extends PoolShape, Window {
  readonly x: number;
  readonly y: number;
  /** Address of int32 places h * W + w, stored as y is; 0 where nobody asks for them. */
  readonly indices: number;
}

/**
 * NaN is the maximum of its window; of equal elements the first in row-major order counts; a window without elements gives
 * -Infinity at -1.
 */
export function planMaxPool2d(e: Encoder, plan: MaxPool2d): void {
  const { x, y, indices, n, c, outHeight, outWidth, kernelSize } = plan;
  const taps = kernelSize[0] * kernelSize[1] * 2;
  const { chunks, words } = cutRows(e, { rows: n * outHeight, width: outWidth, c, taps });
  e.emit(indices === 0 ? 'maxPool' : 'maxPoolPlaces', chunks, [
    ...windowWords(plan, plan),
    ...words,
    x,
    y,
    indices,
  ]);
}

export interface MaxPool2dGradient extends PoolShape {
  readonly gradient: number;
  /** Address of int32 places, stored as the gradient is. */
  readonly indices: number;
  /** [N, height, width, C] */
  readonly y: number;
}

/** Adds each gradient element at its place, in row-major order of the gradient; places below 0 take none. */
export function planMaxPool2dGradient(e: Encoder, plan: MaxPool2dGradient): void {
  const { gradient, indices, y, n, c, height, width, outHeight, outWidth } = plan;
  const plane = height * width;
  const outPlane = outHeight * outWidth;
  // A unit is a block of an image's channels, by whole cache lines.
  const pieces = n < e.threads * 4 ? Math.ceil((e.threads * 4) / n) : 1;
  const block = Math.max(16, Math.ceil(c / pieces / 16) * 16);
  const blocks = Math.ceil(c / block);
  const work = (outPlane * 4 + plane) * Math.min(block, c);
  const { chunks, perChunk } = cut(e, n * blocks, 65536 / work);
  e.emit('maxPoolGradient', chunks, [
    gradient,
    indices,
    y,
    n,
    c,
    plane,
    outPlane,
    block,
    blocks,
    perChunk,
  ]);
}
