// One Chromium for the tests of a file, with WebGL 2 in software (SwiftShader), on a page of Vite's.

import { CHROMIUM_FLAGS, chromiumForTests } from '@convoke/backend-testkit/node';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe } from 'vitest';

import type { Kit } from './pages/kit.ts';
import { Site } from './site.ts';

declare global {
  // On a test's page, not here.
  var kit: Kit;
}

interface Tab {
  readonly page: Page;
  /** What the page wrote on its console, and its uncaught errors. */
  readonly lines: readonly string[];
}

interface Chromium {
  /** Opens the page, under a content security policy if given; `before` runs on it before its own scripts. */
  open(options?: { policy?: string; before?: () => void }): Promise<Tab>;
}

/**
 * Tests that need Chromium, on the page of `pages/PAGE.ts` (`kit` unless named); see `chromiumForTests` for where there is
 * none.
 */
export async function describeInChromium(
  name: string,
  body: (browser: Chromium) => void,
  {
    flags = CHROMIUM_FLAGS,
    page: script = 'kit',
  }: { flags?: readonly string[]; page?: string } = {},
): Promise<void> {
  const executablePath = await chromiumForTests(name);
  describe.skipIf(executablePath === null)(`Chromium: ${name}`, () => {
    let browser: Browser;
    let site: Site;
    const closing: { close(): void }[] = [];
    beforeAll(async () => {
      site = await Site.build(script);
      browser = await chromium.launch({ executablePath: executablePath!, args: [...flags] });
    });
    afterAll(async () => {
      await browser?.close();
      for (const server of closing) server.close();
      await site?.remove();
    });
    body({
      async open({ policy, before } = {}) {
        const server = await site.serve(policy);
        closing.push(server);
        const page = await browser.newPage();
        const lines: string[] = [];
        page.on('console', (message) => lines.push(message.text()));
        page.on('pageerror', (error) => lines.push(`uncaught: ${error.message}`));
        if (before) await page.addInitScript(before);
        await page.goto(server.origin);
        return { page, lines };
      },
    });
  });
}
