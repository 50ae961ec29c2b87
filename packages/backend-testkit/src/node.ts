// What needs Node: golden files from a folder, and where a Chromium is.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { DataError } from '@convoke/backend-api';

import type { GoldenCase } from './golden/case.ts';
import { readGoldenFile, type GoldenFile } from './golden/file.ts';

export { CHROMIUM_FLAGS, chromiumForTests, findChromium } from './chromium.ts';

/** Every `.json` and `.json.gz` file of a folder (not of its sub-folders), by name. Throws a DataError naming what is wrong. */
export async function readGoldenFolder(folder: string): Promise<GoldenFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: Error) => {
    throw new DataError(
      `${folder}: cannot be read as a folder of golden files (${cause.message})`,
      {
        cause,
      },
    );
  });
  const names = entries
    .filter((entry) => !entry.isDirectory() && /\.json(\.gz)?$/.test(entry.name))
    .map(({ name }) => name)
    .toSorted();
  if (names.length === 0) {
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const hint = folders.length > 0 ? `; its sub-folders are ${folders.toSorted().join(', ')}` : '';
    throw new DataError(
      `${folder}: no .json or .json.gz file in this folder; give the folder that holds the files themselves${hint}`,
    );
  }
  const files: GoldenFile[] = [];
  for (const name of names) {
    const path = join(folder, name);
    files.push(await readGoldenFile(path, new Uint8Array(await readFile(path))));
  }
  return files;
}

/** The op cases that come with this package: PyTorch 1.13's results for made-up inputs. */
export async function loadFixtures(): Promise<GoldenCase[]> {
  const files = await readGoldenFolder(fileURLToPath(new URL('../fixtures/ops', import.meta.url)));
  return files.flatMap(({ cases }) => cases);
}
