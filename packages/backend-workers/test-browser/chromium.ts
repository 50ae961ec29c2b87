// One Chromium for the tests of a file, and what they do on its pages.

import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe } from 'vitest';

import type { Kit } from './pages/kit.ts';
import type { Convoke } from './pages/page.ts';

declare global {
  // On a test's page, not here.
  var convoke: Convoke;
  var kit: Kit;
  /** Every worker that the page has started. */
  var startedWorkers: Worker[];
}

export interface Tab {
  readonly page: Page;
  /** What the page wrote on its console, and its uncaught errors. */
  readonly lines: readonly string[];
}

export interface Chromium {
  /** Opens an address; the page is closed with the browser. */
  open(url: string): Promise<Tab>;
}

/** On the page, before its own scripts. */
function recordWorkers(): void {
  globalThis.startedWorkers = [];
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      globalThis.startedWorkers.push(this);
    }
  };
}

/** Tests that need Chromium; see `chromiumForTests` for where there is none. */
export async function describeInChromium(
  name: string,
  body: (browser: Chromium) => void,
): Promise<void> {
  const executablePath = await chromiumForTests(name);
  describe.skipIf(executablePath === null)(`Chromium: ${name}`, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await chromium.launch({
        executablePath: executablePath!,
        args: [...CHROMIUM_FLAGS],
      });
    });
    afterAll(() => browser?.close());
    body({
      open: async (url) => {
        const page = await browser.newPage();
        const lines: string[] = [];
        page.on('console', (message) => lines.push(message.text()));
        page.on('pageerror', (error) => lines.push(`uncaught: ${error.message}`));
        await page.addInitScript(recordWorkers);
        await page.goto(url);
        return { page, lines };
      },
    });
  });
}
