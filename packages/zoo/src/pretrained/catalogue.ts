// All pretrained weights that are known, and those that other packages add.

import { DataError } from '@convoke/core';

import { cifar } from './cifar.ts';
import { keras } from './keras.ts';
import { lenets } from './lenet5.ts';
import { timm } from './timm.ts';
import { torchvision } from './torchvision.ts';
import type { PretrainedWeights } from './weights.ts';

const known: PretrainedWeights[] = [...torchvision, ...timm, ...cifar, ...keras, ...lenets];

export interface PretrainedFilter {
  /** Name of the network, not of an alias. */
  readonly model?: string | undefined;
  readonly tag?: string | undefined;
  readonly verified?: boolean | undefined;
}

/** The weights that fit the filter, in the catalogue's order; all without one. */
export function listPretrained(filter: PretrainedFilter = {}): readonly PretrainedWeights[] {
  const { model, tag, verified } = filter;
  return known.filter(
    (entry) =>
      (model === undefined || entry.model === model) &&
      (tag === undefined || entry.tag === tag) &&
      (verified === undefined || entry.verified === verified),
  );
}

/** Makes weights of another package known by network and tag. Throws a DataError where the network has that tag already. */
export function registerPretrained(entry: PretrainedWeights): void {
  const { model, tag } = entry;
  if (listPretrained({ model, tag }).length > 0)
    throw new DataError(
      `registerPretrained: ${model} has weights '${tag}' already; give yours another tag`,
    );
  known.push(entry);
}

/**
 * The weights of a network with that tag; without a tag, where there is one choice only, since a choice of ours would change
 * results the day better weights come. Throws a DataError that lists the tags.
 */
export function findPretrained(model: string, tag?: string): PretrainedWeights {
  const entries = listPretrained({ model });
  const tags = entries.map((entry) => `'${entry.tag}'`).join(', ');
  if (entries.length === 0)
    throw new DataError(
      `there are no pretrained weights of ${model} in the catalogue; listPretrained() gives all there are`,
    );
  if (tag !== undefined) {
    const found = entries.find((entry) => entry.tag === tag);
    if (!found) throw new DataError(`${model} has no weights '${tag}'; there are ${tags}`);
    return found;
  }
  if (entries.length > 1)
    throw new DataError(`${model} has several pretrained weights; choose a tag: ${tags}`);
  return entries[0]!;
}
