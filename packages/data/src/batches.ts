// Samples in batches. Every epoch can be started at any batch: order is a pure function of seed and epoch, so that a run that
// was cut off goes on with exactly the batches it would have had.

import { DataError, permutation } from '@convoke/core';

import { elementsOf, expectFinite, expectLabel, type Dataset } from './dataset.ts';

/** One batch, ready for a trainer. */
export interface Batch {
  /** In C order. */
  readonly inputs: Float32Array;
  /** `[N, ...sampleShape]`. */
  readonly inputShape: readonly number[];
  /** Class numbers, `[N]`. */
  readonly labels: Int32Array;
}

/** What a transform is told besides the sample. */
export interface TransformContext {
  /** Of the sample in the dataset. */
  readonly index: number;
  readonly label: number;
  readonly epoch: number;
}

export interface BatchOptions {
  readonly batchSize: number;
  /** Another order every epoch. Default false: the dataset's order. */
  readonly shuffle?: boolean | undefined;
  /** Of the order. Default 0. */
  readonly seed?: number | undefined;
  /** Whether a last batch of fewer samples is left out. Default false. */
  readonly dropLast?: boolean | undefined;
  /** Changes a sample in place. To resume to the bit it must depend on nothing but its arguments. */
  readonly transform?: ((input: Float32Array, context: TransformContext) => void) | undefined;
}

export interface Batches {
  readonly batchesPerEpoch: number;
  /** The batches of epoch `epoch`, counted from 0, from batch `startBatch` on. */
  epoch(epoch: number, startBatch?: number): Iterable<Batch>;
}

function expectWhole(
  name: string,
  value: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const range = max === Number.MAX_SAFE_INTEGER ? `>= ${min}` : `from ${min} to ${max}`;
  throw new DataError(`batches: ${name} must be a whole number ${range}, got ${value}`);
}

/**
 * A resumable source of batches. Its batches are made when they are asked for, which throws a DataError, naming the sample,
 * where an input is NaN or infinite (a transform may have made it so) or a label is out of range.
 */
export function batches(dataset: Dataset, options: BatchOptions): Batches {
  const { batchSize, shuffle = false, seed = 0, dropLast = false, transform } = options;
  const { size, sampleShape, numClasses } = dataset;
  expectWhole('batchSize', batchSize, 1);
  expectWhole('seed', seed, 0, 2 ** 32 - 1);
  const batchesPerEpoch = dropLast ? Math.floor(size / batchSize) : Math.ceil(size / batchSize);
  if (batchesPerEpoch === 0) {
    throw new DataError(
      `batches: ${size} samples give no batch of ${batchSize}; choose a smaller batchSize or dropLast: false`,
    );
  }
  const elements = elementsOf(sampleShape);

  const batchOf = (indices: Int32Array, epoch: number): Batch => {
    const inputs = new Float32Array(indices.length * elements);
    const labels = new Int32Array(indices.length);
    for (const [position, index] of indices.entries()) {
      const label = dataset.labels[index];
      expectLabel('batches', label, index, numClasses);
      labels[position] = label!;
      dataset.read(index, inputs, position * elements);
      const input = inputs.subarray(position * elements, (position + 1) * elements);
      transform?.(input, { index, label: label!, epoch });
    }
    expectFinite('batches', inputs, elements, (position) => indices[position]!);
    return { inputs, inputShape: [indices.length, ...sampleShape], labels };
  };

  return {
    batchesPerEpoch,
    *epoch(epoch, startBatch = 0) {
      expectWhole('epoch', epoch, 0, 2 ** 32 - 1);
      expectWhole('startBatch', startBatch, 0, batchesPerEpoch);
      const order = shuffle
        ? permutation(size, seed, 0, epoch)
        : Int32Array.from({ length: size }, (_, i) => i);
      for (let batch = startBatch; batch < batchesPerEpoch; batch++) {
        yield batchOf(order.subarray(batch * batchSize, (batch + 1) * batchSize), epoch);
      }
    },
  };
}
