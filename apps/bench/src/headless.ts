// Runs the page in a Chromium without a screen, and hands its events on.

import { CHROMIUM_FLAGS, findChromium } from '@convoke/backend-testkit/node';

import { servePage } from './web-server.ts';
import type { PageEvent, SessionResults } from './web/session.ts';
import { searchOf, type Settings } from './web/settings.ts';

/** Resolves to the page's results. Rejects with what failed on the page, and with the signal's reason on abort. */
export async function runInChromium(
  settings: Settings,
  onEvent: (event: PageEvent) => void,
  signal: AbortSignal,
): Promise<SessionResults> {
  const executablePath = await findChromium();
  const { chromium } = await import('playwright-core');
  const site = await servePage(0);
  const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
  try {
    const page = await browser.newPage();
    return await new Promise<SessionResults>((resolve, reject) => {
      const take = (event: PageEvent): void => {
        onEvent(event);
        if (event.kind === 'done') resolve(event.results);
        if (event.kind === 'failed') reject(new Error(`on the page: ${event.message}`));
      };
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      page.on('pageerror', (error) => reject(new Error(`on the page: ${error.message}`)));
      page.on('crash', () => reject(new Error('the page crashed')));
      page
        .exposeFunction('benchEvent', take)
        .then(() => page.goto(`${site.address}${searchOf(settings)}&run=1`))
        .catch(reject);
    });
  } finally {
    await browser.close();
    site.close();
  }
}
