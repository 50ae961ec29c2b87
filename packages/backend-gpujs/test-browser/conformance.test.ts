// The conformance kit in Chromium's WebGL 2, from a production build of the packages as they are published: all but the larger
// half of its cases, which are in test-slow/.

import { expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';

/** Every op forward, and what a backend owes its callers: order, ownership, reading, refusal. */
const most = '^(forward|empty|random|ownership|reading|misuse|disposal|donated)';

await describeInChromium('the conformance kit on WebGL 2', (browser) => {
  test('passes forward and in its bookkeeping', async () => {
    const { page } = await browser.open();
    const { problems, cases } = await page.evaluate(async (pattern) => {
      const { backend, testkit } = globalThis.kit;
      return testkit.runConformance(backend.gpujs, {
        only: new RegExp(pattern),
        createOptions: { mode: 'webgl2' },
        fixtures: `${location.origin}/fixtures/`,
      });
    }, most);
    expect(problems).toEqual([]);
    const passed = cases.filter(({ status }) => status === 'passed').map(({ id }) => id);
    for (const op of ['conv2d', 'matmul', 'round', 'sin', 'cos'])
      expect(passed.some((id) => id.includes(op))).toBe(true);
  });
});
