// Zeros around images: what convolutions of few channels, and their filter's gradient, read in place of padding.

import type { Encoder } from '../encoder.ts';
import { cutWork } from './cut.ts';

export interface PadImages {
  /** Address of [batch, height, length]. */
  readonly x: number;
  readonly batch: number;
  readonly height: number;
  /** Floats of a row. */
  readonly length: number;
  /** Of what is written. */
  readonly outHeight: number;
  readonly outLength: number;
  /** Rows put above and floats before each row; negative ones are cut. */
  readonly above: number;
  readonly before: number;
}

/** Address of [batch, outHeight, outLength], until the end of the present op. */
export function planPadImages(e: Encoder, plan: PadImages): number {
  const { x, batch, height, length, outHeight, outLength, above, before } = plan;
  const rows = batch * outHeight;
  const to = e.workspace(rows * outLength * 4);
  const { chunks, perChunk } = cutWork(e, rows, outLength * 4);
  e.emit('padImages', chunks, [
    x,
    to,
    rows,
    height,
    outHeight,
    above,
    length,
    outLength,
    before,
    perChunk,
  ]);
  return to;
}
