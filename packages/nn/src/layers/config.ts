// What layers check and print of their configs. Shapes are checked where the op runs.

import { ShapeError, type Pair, type PairOption } from '@convoke/core';

/** Throws a ShapeError unless `value` is a whole number >= 1. */
export function expectCount(layer: string, name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ShapeError(`${layer}: ${name} must be a whole number >= 1, got ${String(value)}`);
}

/** [height, width]. Throws a ShapeError unless both are whole numbers >= 1. */
export function expectPair(layer: string, name: string, value: PairOption): Pair {
  const pair: readonly number[] = typeof value === 'number' ? [value, value] : value;
  const valid =
    Array.isArray(pair) &&
    pair.length === 2 &&
    pair.every((length) => Number.isSafeInteger(length) && length >= 1);
  if (!valid) {
    throw new ShapeError(
      `${layer}: ${name} must be a whole number >= 1 or a pair [height, width] of them, got ${String(value)}`,
    );
  }
  return [pair[0]!, pair[1]!];
}

/** Throws a ShapeError unless `groups` divides both numbers of channels. */
export function expectGroups(
  layer: string,
  groups: number,
  channels: Readonly<Record<string, number>>,
): void {
  expectCount(layer, 'groups', groups);
  for (const [name, count] of Object.entries(channels)) {
    if (count % groups === 0) continue;
    throw new ShapeError(`${layer}: ${name} ${count} is no multiple of groups ${groups}`);
  }
}

/** Throws a ShapeError unless `p` lies in [0, 1]. */
export function expectProbability(layer: string, p: number): void {
  if (p >= 0 && p <= 1) return;
  throw new ShapeError(`${layer}: p is a probability in [0, 1], got ${String(p)}`);
}

/** Throws a ShapeError unless `word` is one of `words`. */
export function expectWord(
  layer: string,
  name: string,
  word: string,
  words: readonly string[],
): void {
  if (words.includes(word)) return;
  const list = words.map((each) => `'${each}'`).join(' or ');
  throw new ShapeError(`${layer}: ${name} must be ${list}, got ${shown(word)}`);
}

/** `3, 64, kernelSize: [3, 3]`: values, then options that are given, names first. */
export function settings(
  values: readonly (string | number)[],
  options: Readonly<Record<string, unknown>> = {},
): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return [...values, ...given.map(([name, value]) => `${name}: ${shown(value)}`)].join(', ');
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  return typeof value === 'string' ? `'${value}'` : String(value);
}
