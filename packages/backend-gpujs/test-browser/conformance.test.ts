// The conformance kit in Chromium's WebGL 2, from a production build of the packages as they are published.

import { expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';

/** What a network is made of; the whole kit takes too long where WebGL runs in software. */
const groups = ['matmul', 'relu', 'softmax'];

await describeInChromium('the conformance kit on WebGL 2', (browser) => {
  test.each(groups)('%s', async (only) => {
    const { page } = await browser.open();
    const report = await page.evaluate(async (pattern) => {
      const { backend, testkit } = globalThis.kit;
      return testkit.runConformance(backend.gpujs, {
        only: new RegExp(pattern),
        createOptions: { mode: 'webgl2' },
        fixtures: `${location.origin}/fixtures/`,
      });
    }, only);
    expect(report.problems).toEqual([]);
    expect(report.cases.length).toBeGreaterThan(0);
  });
});
