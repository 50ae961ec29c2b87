// Readers in Chromium: every format from a Blob, and from an address relative to the page.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { chromium, type Browser, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { readWeights } from '../src/node.ts';
import { fixture, fixturePath } from '../test/fixtures.ts';
import type { sumsOf as SumsOf } from './reading-page.ts';

declare global {
  // On the page, not here.
  var sumsOf: typeof SumsOf;
}

const executablePath = await chromiumForTests('readers of weight files in a page');

const files = [
  'tiny.safetensors',
  'tiny.pth',
  'tiny_legacy.pth',
  'made/deflated.pth',
  'tiny_compressed.npz',
  'c_order.npy',
  'tiny_keras.h5',
  'tiny_keras_chunked.h5',
  'made/deflated.keras',
];

/** The same in Node. */
async function wanted(name: string): Promise<Record<string, number>> {
  const { tensors } = await readWeights(fixturePath(name));
  return Object.fromEntries(
    [...tensors].map(([key, { data }]) => [
      key,
      Float64Array.from(data).reduce((a, b) => a + b, 0),
    ]),
  );
}

describe.skipIf(executablePath === null)('Chromium: a weight file', () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  let server: Server;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'convoke-reading-page-'));
    await build({
      configFile: false,
      logLevel: 'warn',
      root: fileURLToPath(new URL('..', import.meta.url)),
      resolve: { conditions: ['@convoke/source', 'browser', 'module', 'import', 'default'] },
      build: {
        outDir: folder,
        emptyOutDir: false,
        target: 'es2023',
        lib: {
          entry: fileURLToPath(new URL('reading-page.ts', import.meta.url)),
          formats: ['es'],
          fileName: () => 'page.js',
        },
        rolldownOptions: { output: { codeSplitting: false } },
      },
    });
    const script = await readFile(join(folder, 'page.js'));
    server = createServer(({ url }, response) => {
      const path = (url ?? '/').slice(1);
      if (path === '') {
        response
          .writeHead(200, { 'content-type': 'text/html' })
          .end('<script type="module" src="page.js"></script>');
      } else if (path === 'page.js') {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
      } else if (path.startsWith('tfjs/') || files.includes(path)) {
        response.writeHead(200).end(fixture(path));
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    browser = await chromium.launch({ executablePath: executablePath!, args: [...CHROMIUM_FLAGS] });
    page = await browser.newPage();
    const { port } = server.address() as { port: number };
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.waitForFunction(() => 'sumsOf' in globalThis);
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  test.each(files)('%s is read from a Blob as in Node', async (name) => {
    const sums = await page.evaluate((bytes) => sumsOf(bytes), [...fixture(name)]);
    expect(sums).toEqual(await wanted(name));
  });

  test.each(['tiny.pth', 'tfjs/uint8.json'])('%s is read from beside the page', async (name) => {
    expect(await page.evaluate((path) => sumsOf(path), name)).toEqual(await wanted(name));
  });
});
