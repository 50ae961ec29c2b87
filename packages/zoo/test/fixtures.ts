// PyTorch's results for networks of the zoo, from the folder fixtures/zoo.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import type { GoldenNetwork } from '../src/golden.ts';

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
