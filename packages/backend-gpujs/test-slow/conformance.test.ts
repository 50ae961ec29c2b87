// The whole conformance kit in Chromium's WebGL 2 and WebGPU: gradients, second order, fused ops, golden cases. Minutes, in software.

import { expect, test } from 'vitest';

import { describeInChromium } from '../test-browser/chromium.ts';

await describeInChromium('the whole conformance kit', (browser) => {
  test.each(['webgl2', 'webgpu'] as const)('passes on %s', async (mode) => {
    const { page } = await browser.open();
    const { problems, cases } = await page.evaluate(async (wanted) => {
      const { backend, testkit } = globalThis.kit;
      return testkit.runConformance(backend.gpujs, {
        createOptions: { mode: wanted },
        fixtures: `${location.origin}/fixtures/`,
      });
    }, mode);
    expect(problems).toEqual([]);
    const passed = cases.filter(({ status }) => status === 'passed');
    console.log(
      `${mode}: ${passed.length} of ${cases.length} cases passed, the others do not apply`,
    );
    expect(passed.length).toBeGreaterThan(cases.length / 2);
  });
});
