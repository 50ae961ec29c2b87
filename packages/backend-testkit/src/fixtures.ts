// The golden files that come with this package, for any platform: from disk under Node, over the network in a page.

import { BackendError } from '@convoke/backend-api';

import type { GoldenCase } from './golden/case.ts';
import { readGoldenFile } from './golden/file.ts';

interface NodeFiles {
  readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
}

interface NodeProcess {
  readonly getBuiltinModule?: (name: string) => unknown;
}

async function bytesAt(url: URL): Promise<Uint8Array<ArrayBuffer>> {
  if (url.protocol === 'file:') {
    // Asked for at run time, so that a bundler for the browser meets no import of Node's.
    const { process } = globalThis as { process?: NodeProcess };
    const files = process?.getBuiltinModule?.('node:fs/promises') as NodeFiles | undefined;
    if (files) return new Uint8Array(await files.readFile(url));
  }
  const response = await fetch(url);
  if (!response.ok) {
    throw new BackendError(
      'backend-unavailable',
      `${url.href}: the server answers ${response.status}; serve fixtures/ops of @convoke/backend-testkit and name its address by the option 'fixtures'`,
    );
  }
  return new Uint8Array(await response.arrayBuffer());
}

/** Where fixtures/ops lies, seen from this module: as source and as built. */
export const fixturesFolder: URL = new URL(/* @vite-ignore */ '../fixtures/ops/', import.meta.url);

/** The cases of one file of the folder, by its name without extension. */
export async function fixture(folder: string | URL, name: string): Promise<readonly GoldenCase[]> {
  const url = new URL(`${name}.json.gz`, folder);
  return (await readGoldenFile(url.href, await bytesAt(url))).cases;
}
