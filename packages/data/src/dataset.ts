// What a dataset is: numbered samples of one shape, each of a class. Datasets are never changed; subsets and normalised ones
// are views.

import { DataError } from '@convoke/core';

export interface Dataset {
  /** Number of samples. */
  readonly size: number;
  /** Shape of one sample, such as `[C, H, W]`. */
  readonly sampleShape: readonly number[];
  readonly numClasses: number;
  /** A name for each class, where known. */
  readonly classNames?: readonly string[] | undefined;
  /** Class numbers, `[size]`. */
  readonly labels: Int32Array;
  /** Writes the elements of sample `index`, in C order, to `target` from `offset` on. */
  read(index: number, target: Float32Array, offset: number): void;
}

export interface InMemoryOptions {
  /** Samples one after another, in C order. Bytes are given as value / 255, in [0, 1]; other numbers as they are. */
  readonly inputs: Float32Array | Uint8Array | readonly number[];
  /** Shape of one sample, such as `[C, H, W]`. */
  readonly sampleShape: readonly number[];
  /** A class number for each sample. */
  readonly labels: ArrayLike<number>;
  /** Default: the largest label + 1, or as many as there are class names. */
  readonly numClasses?: number | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** What errors call the data. Default: the data. */
  readonly name?: string | undefined;
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Throws a DataError that names the sample where one of `values`, samples of `size` elements, is NaN or infinite. */
export function expectFinite(
  where: string,
  values: ArrayLike<number>,
  size: number,
  sampleAt: (position: number) => number,
): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new DataError(
      `${where}: sample ${sampleAt(Math.floor(i / size))} holds ${values[i]} at element ${i % size}; expected finite numbers`,
    );
  }
}

/** Throws a DataError that names the sample where a label is no class number below `numClasses`. */
export function expectLabel(
  where: string,
  label: number | undefined,
  sample: number,
  numClasses: number,
): void {
  if (Number.isInteger(label) && label! >= 0 && label! < numClasses) return;
  throw new DataError(
    `${where}: sample ${sample} has label ${label}; expected a class number from 0 to ${numClasses - 1}`,
  );
}

function classesOf(where: string, options: InMemoryOptions): number {
  const { labels, classNames } = options;
  let largest = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i]! > largest) largest = labels[i]!;
  const numClasses = options.numClasses ?? classNames?.length ?? Math.floor(largest) + 1;
  if (!Number.isSafeInteger(numClasses) || numClasses < 1) {
    throw new DataError(`${where}: numClasses must be a whole number >= 1, got ${numClasses}`);
  }
  if (classNames && classNames.length !== numClasses) {
    throw new DataError(`${where}: ${classNames.length} class names for ${numClasses} classes`);
  }
  return numClasses;
}

/**
 * A dataset of arrays in memory, which are used, not copied, where their type allows. Throws a DataError where lengths do not
 * fit, and for a label out of range or an input that is NaN or infinite, naming the sample.
 */
export function inMemory(options: InMemoryOptions): Dataset {
  const { labels, classNames, name: where = 'the data' } = options;
  const sampleShape = [...options.sampleShape];
  const elements = elementsOf(sampleShape);
  if (!sampleShape.every((length) => Number.isSafeInteger(length) && length >= 1)) {
    throw new DataError(
      `${where}: a sample's shape is a list of whole numbers >= 1, got [${sampleShape.join(', ')}]`,
    );
  }
  const size = labels.length;
  if (size === 0) throw new DataError(`${where}: there are no samples`);
  if (options.inputs.length !== size * elements) {
    throw new DataError(
      `${where}: ${size} labels and samples of shape [${sampleShape.join(', ')}] need ${size * elements} inputs, got ${options.inputs.length}`,
    );
  }
  const numClasses = classesOf(where, options);
  for (let i = 0; i < size; i++) expectLabel(where, labels[i], i, numClasses);
  const bytes = options.inputs instanceof Uint8Array;
  if (!bytes) expectFinite(where, options.inputs, elements, (position) => position);
  const inputs =
    bytes || options.inputs instanceof Float32Array
      ? options.inputs
      : Float32Array.from(options.inputs);
  return {
    size,
    sampleShape,
    numClasses,
    classNames,
    labels: Int32Array.from(labels),
    read(index, target, offset) {
      const sample = inputs.subarray(index * elements, (index + 1) * elements);
      if (!bytes) target.set(sample, offset);
      else for (let i = 0; i < elements; i++) target[offset + i] = sample[i]! / 255;
    },
  };
}

/** The samples of `dataset` at `indices`, in that order. Throws a DataError for an index that it lacks. */
export function subset(dataset: Dataset, indices: ArrayLike<number>): Dataset {
  const chosen = Int32Array.from(indices);
  for (let i = 0; i < chosen.length; i++) {
    const index = indices[i]!;
    if (Number.isInteger(index) && index >= 0 && index < dataset.size) continue;
    throw new DataError(
      `subset: there is no sample ${index}; the dataset has samples 0 to ${dataset.size - 1}`,
    );
  }
  return {
    ...dataset,
    size: chosen.length,
    labels: chosen.map((index) => dataset.labels[index]!),
    read: (index, target, offset) => dataset.read(chosen[index]!, target, offset),
  };
}

/** How many samples each class has. */
export function classCounts({ labels, numClasses }: Dataset): number[] {
  const counts = Array.from({ length: numClasses }, () => 0);
  for (const label of labels) counts[label]!++;
  return counts;
}
