// What a trainer is fed: any source that can start an epoch again at any batch.

import { DataError, formatShape, tensor, type Backend, type Tensor } from '@convoke/core';

/** One batch on the host. */
export interface Batch {
  /** Elements in C order. */
  readonly inputs: Float32Array;
  /** Such as `[N, C, H, W]`. */
  readonly inputShape: readonly number[];
  /** Class numbers `[N]`, or real targets of `labelShape`. */
  readonly labels: Int32Array | Float32Array;
  /** Shape of `labels`; `[N]` unless given. */
  readonly labelShape?: readonly number[] | undefined;
}

/**
 * A resumable source of batches. `epoch(e, startBatch)` yields the batches of epoch `e` from `startBatch` on; equal arguments
 * must give equal batches, for a run that is cut off and goes on repeats none and skips none.
 */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  epoch(epoch: number, startBatch?: number): Iterable<Batch> | AsyncIterable<Batch>;
}

/** Throws a DataError unless a trainer can be fed from `source`. */
export function expectSource(action: string, source: unknown): void {
  const { batchesPerEpoch, epoch } = (source ?? {}) as Partial<BatchSource>;
  if (typeof epoch === 'function' && Number.isInteger(batchesPerEpoch)) return;
  throw new DataError(
    `${action}: expected a source of batches, {batchesPerEpoch, epoch(epoch, startBatch)}; got batchesPerEpoch ${String(batchesPerEpoch)} and epoch of type ${typeof epoch}`,
  );
}

/** Where labels are looked up: a batch of an epoch, both counted from 0. */
export interface BatchPosition {
  readonly epoch: number;
  readonly batch: number;
}

const labelShapeOf = ({ labels, labelShape }: Batch): readonly number[] =>
  labelShape ?? [labels.length];

/**
 * The tensors of a batch on `backend`. Throws a DataError where inputs and labels are of different numbers of samples, a
 * ShapeError where the elements do not fill their shape.
 */
export function batchTensors(batch: Batch, backend: Backend): { inputs: Tensor; labels: Tensor } {
  const [n] = batch.inputShape;
  const labelShape = labelShapeOf(batch);
  if (n === undefined || n === 0 || labelShape[0] !== n) {
    throw new DataError(
      `a batch holds inputs of shape ${formatShape(batch.inputShape)} and labels of shape ${formatShape(labelShape)}; expected the same number of samples, at least 1, along the first axis of both`,
    );
  }
  const dtype = batch.labels instanceof Int32Array ? 'int32' : 'float32';
  return {
    inputs: tensor(batch.inputs, { shape: batch.inputShape, backend }),
    labels: tensor(batch.labels, { shape: labelShape, dtype, backend }),
  };
}

/**
 * Throws a DataError, which names the sample, for a label that is NaN or infinite, or no class of outputs [N, classes, ...].
 * Labels equal to `ignoreIndex` pass.
 */
export function expectLabels(
  batch: Batch,
  outputShape: readonly number[],
  ignoreIndex: number | undefined,
  { epoch, batch: number }: BatchPosition,
): void {
  const { labels } = batch;
  const isClass = labels instanceof Int32Array;
  const classes = outputShape.length >= 2 ? outputShape[1]! : Infinity;
  const perSample = labels.length / batch.inputShape[0]!;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label === ignoreIndex) continue;
    if (isClass ? label >= 0 && label < classes : Number.isFinite(label)) continue;
    const expected = isClass ? `a class from 0 to ${classes - 1}` : 'a finite number';
    throw new DataError(
      `the label of sample ${Math.floor(i / perSample)} in batch ${number} of epoch ${epoch} (counted from 0) is ${label}; expected ${expected}, for outputs of shape ${formatShape(outputShape)}`,
    );
  }
}
