// Softmax, its logarithm, and the loss that is fused with it, over contiguous tensors.

import type { Encoder } from '../encoder.ts';
import { aroundAxis } from './axes.ts';
import { cut } from './cut.ts';

export interface SoftmaxPlan {
  readonly op: 'softmax' | 'logSoftmax';
  readonly shape: readonly number[];
  readonly axis: number;
  readonly x: number;
  /** May be `x`. */
  readonly y: number;
}

export interface SoftmaxCrossEntropyPlan {
  /** Rows and classes of the logits. */
  readonly n: number;
  readonly count: number;
  readonly logits: number;
  /** int32 [n]; one out of range fails the command with `indexOutOfRange`. */
  readonly classes: number;
  /** [n] */
  readonly losses: number;
  /** [n, count]; may be `logits`. */
  readonly logProbabilities: number;
}

export interface SoftmaxCrossEntropyGradientPlan {
  readonly n: number;
  readonly count: number;
  /** [n] */
  readonly gradient: number;
  readonly logProbabilities: number;
  readonly classes: number;
  /** [n, count]; may be `logProbabilities`. */
  readonly y: number;
}

/** Elements a chunk at least: about 20 microseconds of exponentials. */
const ELEMENTS = 16384;
/** Neighbouring columns that the kernel works on together. */
const COLUMNS = 64;

export function planSoftmax(e: Encoder, { op, shape, axis, x, y }: SoftmaxPlan): void {
  if (shape.includes(0)) return;
  const { outer, length, inner } = aroundAxis(shape, axis);
  if (inner === 1) {
    const { chunks, perChunk } = cut(e, outer, Math.ceil(ELEMENTS / length));
    e.emit(op, chunks, [x, y, outer, perChunk, length]);
    return;
  }
  const width = Math.min(inner, COLUMNS);
  const groups = Math.ceil(inner / COLUMNS);
  const { chunks, perChunk } = cut(e, outer * groups, Math.ceil(ELEMENTS / length / width));
  e.emit(`${op}Columns`, chunks, [x, y, outer * groups, perChunk, length, inner, groups]);
}

export function planSoftmaxCrossEntropy(e: Encoder, plan: SoftmaxCrossEntropyPlan): void {
  const { n, count, logits, classes, losses, logProbabilities } = plan;
  if (n === 0) return;
  const { chunks, perChunk } = cut(e, n, Math.ceil(ELEMENTS / Math.max(count, 1)));
  e.emit('softmaxCrossEntropy', chunks, [
    logits,
    logProbabilities,
    n,
    perChunk,
    count,
    classes,
    losses,
  ]);
}

/** (exp(log-probability) - (1 at the class)) * gradient of the row. */
export function planSoftmaxCrossEntropyGradient(
  e: Encoder,
  plan: SoftmaxCrossEntropyGradientPlan,
): void {
  const { n, count, gradient, logProbabilities, classes, y } = plan;
  if (n === 0 || count === 0) return;
  const { chunks, perChunk } = cut(e, n, Math.ceil(ELEMENTS / count));
  e.emit('softmaxCrossEntropyGradient', chunks, [
    logProbabilities,
    y,
    n,
    perChunk,
    count,
    classes,
    gradient,
  ]);
}
