// The whole conformance kit in Chromium's WebGL 2: gradients, second order, fused ops, golden cases. Minutes, in software.

import { expect, test } from 'vitest';

import { describeInChromium } from '../test-browser/chromium.ts';

await describeInChromium('the whole conformance kit on WebGL 2', (browser) => {
  test('passes', async () => {
    const { page } = await browser.open();
    const { problems, cases } = await page.evaluate(async () => {
      const { backend, testkit } = globalThis.kit;
      return testkit.runConformance(backend.gpujs, {
        createOptions: { mode: 'webgl2' },
        fixtures: `${location.origin}/fixtures/`,
      });
    });
    expect(problems).toEqual([]);
    const passed = cases.filter(({ status }) => status === 'passed');
    console.log(
      `WebGL 2: ${passed.length} of ${cases.length} cases passed, the others do not apply`,
    );
    expect(passed.length).toBeGreaterThan(cases.length / 2);
  });
});
