// Local response normalisation (Krizhevsky et al. 2012, section 3.3): each element over a power of the energy of the channels
// round its own. Tensors are seen as [outer, C, inner] as in batch-norm.ts.

import { f32, type Encoder } from '../encoder.ts';
import type { ChannelView } from './batch-norm.ts';
import { cut } from './cut.ts';

export interface LocalResponseNorm extends ChannelView {
  readonly x: number;
  /** Not x. */
  readonly y: number;
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
}

/** Channels that fit a thread's scratch memory beside the zeros at both ends. */
const MOST_IN_SCRATCH = 60000;

export function planLocalResponseNorm(e: Encoder, plan: LocalResponseNorm): void {
  const { x, y, outer, channels, inner, alpha, beta, k } = plan;
  // What lies beyond the channels adds nothing: windows longer than twice their number see no more.
  const before = Math.min(Math.floor(plan.size / 2), channels);
  const after = Math.min(plan.size - 1 - Math.floor(plan.size / 2), channels);
  const size = before + after + 1;
  const common = [x, y, channels, before, size, f32(alpha / plan.size), f32(beta), f32(k)];
  if (inner === 1 && channels + size <= MOST_IN_SCRATCH) {
    const { chunks, perChunk } = cut(e, outer, 8192 / (channels * (size / 8 + 1)));
    e.emit('responseNormRows', chunks, [...common, outer, perChunk]);
    return;
  }
  // A unit is a strip of the planes of one outer index.
  const strip = Math.min(inner, 256);
  const strips = Math.ceil(inner / strip);
  const work = strip * channels * (size / 8 + 1);
  const { chunks, perChunk } = cut(e, outer * strips, 8192 / work);
  e.emit('responseNormPlanes', chunks, [...common, outer * strips, perChunk, inner, strip, strips]);
}
