// Runs golden cases inside Chromium: serves a page over HTTP, isolated so that it may share memory between threads, and brings
// its rows back.

import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

import type { GoldenCase } from '@convoke/backend-testkit';
import { CHROMIUM_FLAGS, findChromium } from '@convoke/backend-testkit/node';
import { BackendError } from '@convoke/core';

import type { GoldenOutcome, GoldenRequest } from './session.ts';

/** What the page leaves in `globalThis.goldenOutcome`. */
export type PageOutcome = { readonly outcome: GoldenOutcome } | { readonly error: string };

export interface PageRequest {
  readonly cases: readonly GoldenCase[];
  readonly request: GoldenRequest;
}

/** Beside the built command. */
const BUILT_PAGE = new URL('./browser/golden-page.js', import.meta.url);
/** Backend workers starts its workers from a file beside the page's script. */
const workerScript = (): URL =>
  new URL('dist/worker.js', import.meta.resolve('@convoke/backend-workers/package.json'));

const PAGE =
  '<!doctype html><meta charset="utf-8"><title>Convoke golden cases</title><script type="module" src="/golden-page.js"></script>';

async function serve(script: string, worker: string, request: PageRequest): Promise<Server> {
  const json = JSON.stringify(request);
  const answers: Readonly<Record<string, [type: string, body: string]>> = {
    '/': ['text/html', PAGE],
    '/golden-page.js': ['text/javascript', script],
    '/worker.js': ['text/javascript', worker],
    '/request.json': ['application/json', json],
  };
  const server = createServer(({ url = '/' }, response) => {
    const answer = answers[url];
    response.writeHead(answer ? 200 : 404, {
      'content-type': `${answer?.[0] ?? 'text/plain'}; charset=utf-8`,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cache-control': 'no-store',
    });
    response.end(answer?.[1] ?? '');
  });
  await new Promise<void>((done, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', done);
  });
  return server;
}

async function readPage(page: URL): Promise<string> {
  return readFile(page, 'utf8').catch((cause: Error) => {
    throw new BackendError(
      'backend-unavailable',
      `--browser: the page at ${fileURLToPath(page)} cannot be read (${cause.message}); build it by npm run build`,
      { cause },
    );
  });
}

async function loadPlaywright() {
  return import('playwright-core').catch((cause: unknown) => {
    throw new BackendError(
      'backend-unavailable',
      '--browser steers Chromium by playwright-core, which is not installed; run npm install playwright-core',
      { cause },
    );
  });
}

/** As `runCases`, inside Chromium. `page` is the built script of `browser/golden-page.ts`. */
export async function runInBrowser(
  cases: readonly GoldenCase[],
  request: GoldenRequest,
  page: URL = BUILT_PAGE,
): Promise<GoldenOutcome> {
  const executablePath = await findChromium();
  const script = await readPage(page);
  const { chromium } = await loadPlaywright();
  const server = await serve(script, await readPage(workerScript()), { cases, request });
  try {
    const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
    try {
      const tab = await browser.newPage();
      tab.on('pageerror', (error) => process.stderr.write(`page: ${error.message}\n`));
      const { port } = server.address() as AddressInfo;
      await tab.goto(`http://127.0.0.1:${port}/`);
      const result = (await tab.evaluate('globalThis.goldenOutcome')) as PageOutcome | undefined;
      if (!result) {
        throw new BackendError('backend-failed', 'the page did not start; its errors are above');
      }
      if ('error' in result)
        throw new BackendError('backend-failed', `in Chromium: ${result.error}`);
      return { ...result.outcome, place: `chromium ${browser.version()}` };
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
