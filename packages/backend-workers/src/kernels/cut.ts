// How independent units of work are cut into chunks: enough of them that threads stay level, none so small that claiming it
// costs more than it.

import type { Encoder } from '../encoder.ts';

export interface Chunks {
  readonly chunks: number;
  /** Units of work a chunk; the last may have fewer. */
  readonly perChunk: number;
}

const CHUNKS_PER_THREAD = 6;

/**
 * Cuts `units` of work that do not depend on one another; no units give no chunks. A chunk has at least `least` units (about
 * 20 microseconds' worth) and a multiple of `multiple`, so that vectors of four never straddle chunks and threads share no
 * cache line.
 */
export function cut(
  e: Pick<Encoder, 'threads'>,
  units: number,
  least: number,
  multiple = 1,
): Chunks {
  const most = e.threads === 1 ? 1 : e.threads * CHUNKS_PER_THREAD;
  const count = Math.max(1, Math.min(most, Math.floor(units / Math.max(least, 1))));
  const perChunk = Math.max(1, Math.ceil(units / count / multiple)) * multiple;
  return { chunks: Math.ceil(units / perChunk), perChunk };
}

/** Multiply-adds that take about 20 microseconds. */
export const LEAST_WORK: number = 2 ** 18;

/** Cuts `units` of `work` multiply-adds each. */
export function cutWork(e: Pick<Encoder, 'threads'>, units: number, work: number): Chunks {
  return cut(e, units, LEAST_WORK / work);
}
