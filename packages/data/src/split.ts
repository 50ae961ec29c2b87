// Keeping samples back for validation, by seed.

import { DataError, permutation } from '@convoke/core';

import { classCounts, subset, type Dataset } from './dataset.ts';

export interface SplitOptions {
  /** Share of the samples that validation gets, in (0, 1). */
  readonly validation: number;
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Whether both parts have the same share of each class, as nearly as whole samples allow. Default true. */
  readonly stratified?: boolean | undefined;
}

/** Keeps draws for splitting apart from those for shuffling under the same seed. */
const STREAM = 1;

/** Whole numbers that add up to round(sum of quotas), each its quota rounded down or up; the largest remainders go up. */
function apportion(quotas: readonly number[]): number[] {
  const parts = quotas.map(Math.floor);
  const total = Math.round(quotas.reduce((sum, quota) => sum + quota, 0));
  const missing = total - parts.reduce((sum, part) => sum + part, 0);
  const byRemainder = quotas
    .map((quota, i) => ({ i, remainder: quota - Math.floor(quota) }))
    .toSorted((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, missing)) parts[i]!++;
  return parts;
}

/** Parts the samples in two, each in the dataset's order. Throws a DataError where one of them would be empty. */
export function split(
  dataset: Dataset,
  options: SplitOptions,
): { train: Dataset; validation: Dataset } {
  const { validation: share, seed = 0, stratified = true } = options;
  if (!(share > 0 && share < 1)) {
    throw new DataError(`split: validation must be a share between 0 and 1, got ${share}`);
  }
  const groups: number[][] = stratified
    ? classCounts(dataset).map(() => [])
    : [Array.from({ length: dataset.size }, (_, i) => i)];
  if (stratified) dataset.labels.forEach((label, i) => groups[label]!.push(i));
  const parts = apportion(groups.map((group) => group.length * share));
  const kept = new Set<number>();
  for (const [number, group] of groups.entries()) {
    const order = permutation(group.length, seed, STREAM, number);
    for (const position of order.subarray(0, parts[number])) kept.add(group[position]!);
  }
  if (kept.size === 0 || kept.size === dataset.size) {
    throw new DataError(
      `split: a share of ${share} of ${dataset.size} samples leaves one part empty; choose a share nearer to a half, or more samples`,
    );
  }
  const all = Array.from({ length: dataset.size }, (_, i) => i);
  return {
    train: subset(
      dataset,
      all.filter((i) => !kept.has(i)),
    ),
    validation: subset(
      dataset,
      all.filter((i) => kept.has(i)),
    ),
  };
}
