// What a content security policy must allow: the page's own script, and nothing else. gpu.js makes functions of strings for its
// CPU mode only, which is never used.

import { expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';
import type { PolicyOutcome } from './pages/policy.ts';

declare global {
  // On the page.
  var policyOutcome: PolicyOutcome;
}

await describeInChromium(
  'under a content security policy',
  (browser) => {
    test.each(["script-src 'self'", "default-src 'none'; script-src 'self'; img-src data:"])(
      '%s is enough to train',
      async (policy) => {
        const { page } = await browser.open({ policy });
        expect(await page.evaluate(() => globalThis.policyOutcome)).toEqual({
          available: true,
          steps: ['webgl2', 'webgl'].map((mode) => ({
            mode,
            square: [7, 10, 15, 22],
            difference: expect.closeTo(0, 4),
          })),
          violations: [],
          evalError: 'EvalError',
        });
      },
    );
  },
  { page: 'policy' },
);
