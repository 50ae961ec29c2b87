// PyTorch's results for networks of the zoo, from the folder fixtures/zoo.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import type { GoldenNetwork, GoldenNetworkCase } from '../src/golden.ts';

const folder = new URL('./fixtures/zoo/', import.meta.url);

/** Names of networks with a golden file. */
export const goldenNames: readonly string[] = readdirSync(folder).map((file) =>
  file.replace('.json.gz', ''),
);

export function goldenOf(name: string): GoldenNetwork | null {
  const file = new URL(`${name}.json.gz`, folder);
  if (!existsSync(file)) return null;
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as GoldenNetwork;
}

const sizeOf = ({ input }: GoldenNetworkCase): number => input.shape.reduce((a, b) => a * b);

/** With the case of the smallest input alone. */
export function smallestOf(golden: GoldenNetwork): GoldenNetwork {
  const cases = golden.cases.toSorted((a, b) => sizeOf(a) - sizeOf(b)).slice(0, 1);
  return { ...golden, cases };
}

/** All of small networks, the smallest input of others, and no training and gradients of large ones. */
export function quickGoldenOf(name: string): GoldenNetwork | null {
  const golden = goldenOf(name);
  if (!golden || golden.params <= 1.5e6) return golden;
  const smallest = smallestOf(golden);
  return golden.params <= 6e6 ? smallest : { ...smallest, aux: null, frozen_bn: null, train: null };
}
