// What the pooling plans share: the window's words for the kernels, and how outputs are cut into chunks.

import type { Encoder } from '../encoder.ts';
import { cut } from './cut.ts';

/** Attributes of Window2d in the catalogue's terms. */
export interface Window {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  /** [top, bottom, left, right], each >= 0. */
  readonly padding: readonly [number, number, number, number];
  readonly dilation: readonly [number, number];
}

/** Images [N, height, width, C] and pooled images [N, outHeight, outWidth, C], channels last. */
export interface PoolShape {
  readonly n: number;
  readonly c: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
}

/** Words 0 to 12 of window kernels: sizes, then the window. */
export function windowWords(shape: PoolShape, window: Window): number[] {
  const { c, height, width, outHeight, outWidth } = shape;
  const { kernelSize, stride, padding, dilation } = window;
  return [
    c,
    height,
    width,
    outHeight,
    outWidth,
    kernelSize[0],
    kernelSize[1],
    stride[0],
    stride[1],
    padding[0],
    padding[2],
    dilation[0],
    dilation[1],
  ];
}

export interface RowChunks {
  readonly chunks: number;
  /** Words for the kernel: rows of pixels, channels a block (a multiple of 16), channel blocks, units a chunk. */
  readonly words: readonly number[];
}

/**
 * Units of work are rows of pixels; where these are few and heavy (global pooling), blocks of their channels. `taps` is the
 * number of elements read for each written.
 */
export function cutRows(
  e: Encoder,
  { rows, width, c, taps }: { rows: number; width: number; c: number; taps: number },
): RowChunks {
  const work = width * c * (taps + 2);
  let block = Math.ceil(c / 16) * 16;
  if (rows < e.threads * 4 && work > 65536) {
    const pieces = Math.min(Math.ceil((e.threads * 4) / rows), Math.ceil(work / 65536));
    block = Math.max(16, Math.ceil(c / pieces / 16) * 16);
  }
  const blocks = Math.ceil(c / block);
  const { chunks, perChunk } = cut(e, rows * blocks, (65536 * blocks) / work);
  return { chunks, words: [rows, block, blocks, perChunk] };
}
