// The hub in Chromium: downloads, the private file system, tabs that wait for each other or die.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { bytesOf, file, serve, sha256, type Handler, type TestServer } from '../test/hub/server.ts';
import type { Hub } from './page.ts';

declare global {
  // On the page, not here.
  var hub: Hub;
}

// More than two segments of 16 MiB.
const BYTES = bytesOf(35_000_000);
const HASH = sha256(BYTES);
const CORS = { 'access-control-allow-origin': '*' };

const executablePath = await chromiumForTests('the hub in a page');

/** Sends `most` bytes, and no more. */
const stallAfter = (most: number): Handler => file(BYTES, { stallAfter: most, etag: '"one"' });
const whole: Handler = file(BYTES, { etag: '"one"' });

/** Fetches on a page and gives what can be sent here. */
const fetchOn = (tab: Page, reference: string, options: object = {}) =>
  tab.evaluate(
    async ([given, more]) => {
      try {
        const got = await hub.fetchWeights(given, { retryDelay: 10, ...more });
        const bytes = await got.bytes();
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
        const slice = (await got.blob()).slice(20_000_000, 20_000_004);
        return {
          ...(JSON.parse(JSON.stringify(got)) as Record<string, unknown>),
          digest: Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''),
          slice: [...new Uint8Array(await slice.arrayBuffer())],
        };
      } catch (error) {
        const { code, message, name } = error as Error & { code: string };
        return { code, message, name };
      }
    },
    [reference, options] as const,
  );

describe.skipIf(executablePath === null)('Chromium: the hub in a page', () => {
  let folder: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let site: TestServer;
  let answer: Handler;
  let script: Buffer;
  /** Requests for the file. */
  let asked: { range: string | undefined; ifRange: string | undefined }[];

  const open = async (): Promise<Page> => {
    const tab = await context.newPage();
    await tab.goto(`${site.origin}/`);
    return tab;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'convoke-hub-page-'));
    await writeFile(join(folder, 'index.html'), '');
    await build({
      configFile: false,
      logLevel: 'warn',
      root: fileURLToPath(new URL('..', import.meta.url)),
      resolve: { conditions: ['@convoke/source', 'browser', 'module', 'import', 'default'] },
      build: {
        outDir: folder,
        target: 'es2023',
        emptyOutDir: false,
        lib: {
          entry: fileURLToPath(new URL('page.ts', import.meta.url)),
          formats: ['es'],
          fileName: () => 'page.js',
        },
        rolldownOptions: { output: { codeSplitting: false } },
      },
    });
    script = await readFile(join(folder, 'page.js'));
    browser = await chromium.launch({ executablePath: executablePath!, args: [...CHROMIUM_FLAGS] });
    site = await serve((request, response) => {
      if (request.url === '/') {
        const html =
          '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';
        response.writeHead(200, { 'content-type': 'text/html' }).end(html);
      } else if (request.url === '/page.js') {
        response.writeHead(200, { 'content-type': 'text/javascript' }).end(script);
      } else {
        const { range, 'if-range': ifRange } = request.headers;
        asked.push({ range, ifRange: ifRange as string | undefined });
        answer(request, response);
      }
    });
  });

  afterAll(async () => {
    await browser?.close();
    site?.close();
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    asked = [];
    answer = whole;
    context = await browser.newContext();
    page = await open();
  });

  afterEach(() => context?.close());

  test('a file is downloaded once, hashed, and read in ranges from the cache', async () => {
    const first = await fetchOn(page, '/net.safetensors');
    expect(first).toMatchObject({
      reference: `${site.origin}/net.safetensors`,
      sha256: HASH,
      digest: HASH,
      integrity: 'first',
      fromCache: false,
      cached: true,
      slice: Array.from(BYTES.subarray(20_000_000, 20_000_004)),
    });
    expect(first).not.toHaveProperty('path');
    const second = await fetchOn(await open(), '/net.safetensors', { verify: true });
    expect(second).toMatchObject({ fromCache: true, integrity: 'recorded', digest: HASH });
    expect(asked).toHaveLength(1);
    expect(await page.evaluate(() => hub.listCache())).toMatchObject([
      { file: 'net.safetensors', size: BYTES.length, partialSize: 0, sha256: HASH },
    ]);
    expect(await fetchOn(page, '/net.safetensors', { offline: true })).toMatchObject({
      fromCache: true,
    });
    expect(await page.evaluate(() => hub.clearCache())).toEqual({
      files: 1,
      bytes: BYTES.length,
      busy: [],
    });
    expect(await fetchOn(page, '/net.safetensors', { offline: true })).toMatchObject({
      code: 'offline',
      message: expect.stringMatching(/private files: convoke\/hub\/.*net\.safetensors/),
    });
  });

  test('a tab that is closed in the middle leaves whole segments, and the next goes on behind them', async () => {
    answer = stallAfter(20_000_000);
    const tab = await open();
    void tab
      .evaluate(() =>
        hub.fetchWeights('/net.safetensors', {
          onProgress: ({ loaded }) => void (document.title = String(loaded)),
        }),
      )
      .catch(() => undefined);
    await expect.poll(() => tab.title(), { timeout: 60_000 }).toBe('20000000');
    await tab.close();
    answer = whole;
    const got = await fetchOn(page, '/net.safetensors');
    expect(got).toMatchObject({ sha256: HASH, digest: HASH, fromCache: false });
    expect(asked.at(-1)).toEqual({ range: `bytes=${16 << 20}-`, ifRange: '"one"' });
  });

  test('an aborted download keeps all its bytes', async () => {
    answer = stallAfter(5_000_000);
    const reason = await page.evaluate(async () => {
      const controller = new AbortController();
      return hub
        .fetchWeights('/net.safetensors', {
          signal: controller.signal,
          onProgress: ({ loaded }) => loaded === 5_000_000 && controller.abort('enough'),
        })
        .catch((error: unknown) => error);
    });
    expect(reason).toBe('enough');
    answer = whole;
    expect(await fetchOn(page, '/net.safetensors')).toMatchObject({ digest: HASH });
    expect(asked.at(-1)!.range).toBe('bytes=5000000-');
  });

  test('two tabs download a file once', async () => {
    const other = await open();
    const both = await Promise.all([
      fetchOn(page, '/net.safetensors'),
      fetchOn(other, '/net.safetensors'),
    ]);
    expect(both).toEqual(Array(2).fill(expect.objectContaining({ digest: HASH })));
    expect(both.filter((got) => 'waited' in got && got.waited)).toHaveLength(1);
    expect(asked).toHaveLength(1);
  });

  test('a wrong hash is refused, and nothing is kept', async () => {
    const wrong = await fetchOn(page, '/net.safetensors', { sha256: '0'.repeat(64) });
    expect(wrong).toMatchObject({ name: 'WeightsError', code: 'checksum' });
    expect(await page.evaluate(() => hub.listCache())).toEqual([]);
  });

  test('a refreshed file takes the place of the old one, whole', async () => {
    await fetchOn(page, '/net.safetensors');
    expect(await fetchOn(page, '/net.safetensors', { refresh: true })).toMatchObject({
      fromCache: false,
      integrity: 'recorded',
      digest: HASH,
    });
    expect(await page.evaluate(() => hub.listCache())).toMatchObject([
      { size: BYTES.length, partialSize: 0 },
    ]);
  });

  test('another origin serves it, in parts too, where it allows the page to read', async () => {
    const first = file(BYTES, {
      breakAfter: 18_000_000,
      headers: CORS,
      lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT',
    });
    const rest = file(BYTES, { headers: CORS, lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' });
    const elsewhere = await serve(first, rest);
    const closed = await serve(file(BYTES));
    try {
      expect(await fetchOn(page, `${elsewhere.origin}/a.pth`)).toMatchObject({ digest: HASH });
      expect(elsewhere.requests.every(({ method }) => method === 'GET')).toBe(true);
      expect(await fetchOn(page, `${closed.origin}/a.pth`, { retries: 0 })).toMatchObject({
        code: 'network',
      });
    } finally {
      elsewhere.close();
      closed.close();
    }
  });

  test('without the private file system a download lives in memory, and says so', async () => {
    const got = await page.evaluate(async () => {
      Reflect.deleteProperty(FileSystemFileHandle.prototype, 'createWritable');
      const { cached, fromCache, sha256: hash } = await hub.fetchWeights('/net.safetensors');
      return { cached, fromCache, hash };
    });
    expect(got).toEqual({ cached: false, fromCache: false, hash: HASH });
  });
});
