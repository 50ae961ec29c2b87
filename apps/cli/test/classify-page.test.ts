// Classifying in Chromium, on a page that Vite builds from the packed packages as a user installs them, with weights from a
// server on this machine: every kind of source gives what Node gives.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';

import { js } from '@convoke/backend-js';
import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { Generator, register, use } from '@convoke/core';
import { Image } from '@convoke/image';
import { encode } from '@convoke/image/node';
import { serializeSafetensors, type StoredTensor } from '@convoke/weights';
import { createModel, findPretrained } from '@convoke/zoo';
import { createClassifier, type Prediction } from '@convoke/zoo/node';
import { chromium, type Browser, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { closure, createProject, pack } from './packed.ts';
import type { ClassifyPage } from './pages/classify.ts';

declare global {
  // On the page, not here.
  var convoke: ClassifyPage;
}

const executablePath = await chromiumForTests('classifying in a page');

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

/** A page's files, and others by their paths. Threads may share memory. */
async function serve(
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : request.url!;
    let body: Uint8Array;
    try {
      body = files[path] ?? readFileSync(join(folder, path));
    } catch {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
      'content-length': body.length,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    response.end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe.skipIf(executablePath === null)('Chromium: a page from packed packages', () => {
  let work: string;
  let server: Server;
  let browser: Browser;
  let page: Page;
  let sha256: string;
  let expected: Prediction[];

  beforeAll(async () => {
    work = mkdtempSync(join(tmpdir(), 'convoke-classify-page-'));
    register(js);
    await use('js');
    const model = await createModel('squeezenet1_1', { generator: new Generator(11) });
    const stored = new Map<string, StoredTensor>();
    for (const [name, slot] of model.stateDict()) {
      const { dtype, shape } = slot;
      const values = await slot.data();
      // Initial values tell classes hardly apart; with a louder classifier other pixels are other probabilities.
      const data = name === 'classifier.1.weight' ? values.map((value) => 30 * value) : values;
      stored.set(name, { dtype, shape, data } as StoredTensor);
    }
    model.dispose();
    const weights = serializeSafetensors(stored);
    sha256 = createHash('sha256').update(weights).digest('hex');
    const data = Uint8Array.from(
      { length: 80 * 60 * 3 },
      (_, i) => (i % 3 === 0 ? i / 60 : i / 19) % 256,
    );
    const picture = new Image({ width: 80, height: 60, channels: 3, data });
    const entry = findPretrained('squeezenet1_1');
    const inNode = await createClassifier(
      { ...entry, origin: { kind: 'embedded', load: async () => weights } },
      { acceptLicense: true },
    );
    expected = await inNode.classify(picture);
    inNode.dispose();

    const names = closure([
      '@convoke/backend-api',
      '@convoke/backend-workers',
      '@convoke/core',
      '@convoke/nn',
      '@convoke/zoo',
    ]);
    const project = join(work, 'project');
    createProject(project, [...pack(names, join(work, 'tarballs')).values()]);
    const script = readFileSync(new URL('pages/classify.ts', import.meta.url), 'utf8');
    writeFileSync(join(project, 'page.js'), stripTypeScriptTypes(script));
    writeFileSync(
      join(project, 'index.html'),
      '<!doctype html><meta charset="utf-8"><title>Convoke</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>',
    );
    await build({
      configFile: false,
      logLevel: 'warn',
      root: project,
      mode: 'production',
      build: { outDir: join(project, 'dist'), target: 'es2023' },
    });
    const site = await serve(join(project, 'dist'), {
      '/weights.safetensors': weights,
      '/picture.png': await encode(picture, { format: 'png' }),
      '/damaged.png': new TextEncoder().encode('no picture'),
    });
    server = site.server;
    browser = await chromium.launch({
      executablePath: executablePath!,
      args: [...CHROMIUM_FLAGS],
    });
    page = await browser.newPage();
    await page.goto(site.origin);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
    server?.closeAllConnections();
    rmSync(work, { recursive: true, force: true });
  });

  test('weights are fetched, checked and kept; every kind of source gives what Node gives', async () => {
    const found = await page.evaluate(async (hash) => {
      const { use: choose, findPretrained: find, createClassifier: create } = globalThis.convoke;
      await choose('workers', { precision: 'strict' });
      const reference = '/weights.safetensors';
      const weights = {
        ...find('squeezenet1_1'),
        origin: { kind: 'hub', reference, sha256: hash, size: null },
      } as const;
      const classifier = await create(weights, { acceptLicense: true });
      const blob = await (await fetch('/picture.png')).blob();
      const bitmap = await createImageBitmap(blob);
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      const context = canvas.getContext('2d')!;
      context.drawImage(bitmap, 0, 0);
      const offscreen = new OffscreenCanvas(canvas.width, canvas.height);
      offscreen.getContext('2d')!.drawImage(bitmap, 0, 0);
      const element = new globalThis.Image();
      element.src = '/picture.png';
      const frame = new VideoFrame(canvas, { timestamp: 0 });
      const sources = {
        address: '/picture.png',
        url: new URL('/picture.png', location.href),
        blob,
        file: new File([blob], 'picture.png'),
        bytes: new Uint8Array(await blob.arrayBuffer()),
        bitmap,
        canvas,
        offscreen,
        pixels: context.getImageData(0, 0, canvas.width, canvas.height),
        element,
        frame,
      };
      const results = await classifier.classifyAll(Object.values(sources), { batchSize: 4 });
      frame.close();
      const failure = await classifier.classify('/damaged.png').then(
        () => null,
        (error: Error) => [error.name, error.message],
      );
      const { integrity, fromCache } = classifier.file!;
      classifier.dispose();
      const again = await create(weights, { acceptLicense: true });
      const second = again.file!.fromCache;
      again.dispose();
      return { kinds: Object.keys(sources), results, failure, integrity, fromCache, second };
    }, sha256);
    expect(found.kinds).toHaveLength(11);
    for (const [i, predictions] of found.results.entries()) {
      expect(predictions).toHaveLength(5);
      const [best] = predictions;
      const { index, label, probability } = expected[0]!;
      expect(best).toMatchObject({ index, label });
      // A video frame may have been through other colour formulas.
      const tolerance = found.kinds[i] === 'frame' ? 0.02 : 1e-4;
      expect(Math.abs(best!.probability - probability)).toBeLessThan(tolerance);
    }
    expect(found.failure).toEqual(['ImageError', expect.stringContaining('/damaged.png')]);
    expect(found).toMatchObject({ integrity: 'sha256', fromCache: false, second: true });
  });
});
