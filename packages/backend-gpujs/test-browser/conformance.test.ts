// The conformance kit in Chromium's WebGL 2, WebGL 1 and WebGPU, from a production build of the packages as they are published: a part of it that
// takes half a minute in software. The whole is in test-slow/.

import { expect, test } from 'vitest';

import { describeInChromium } from './chromium.ts';

/** What a network is made of, and functions that the languages of GPUs have under names or with errors of their own. */
const groups = ['matmul', 'relu', 'softmax', '(round|sin|cos)\\b'];

await describeInChromium('the conformance kit', (browser) => {
  test.each([
    ...groups.flatMap((group) => [['webgl2', group] as const, ['webgl', group] as const]),
    // Divisions of indices, more inputs than a kernel takes, reads that wait.
    ['webgpu', 'fusedConv2d|adamStep|disposal|matmul'] as const,
  ])('on %s: %s', async (mode, only) => {
    const { page } = await browser.open();
    const { problems, cases } = await page.evaluate(
      async ([wanted, pattern]) => {
        const { backend, testkit } = globalThis.kit;
        return testkit.runConformance(backend.gpujs, {
          only: new RegExp(pattern),
          createOptions: { mode: wanted },
          fixtures: `${location.origin}/fixtures/`,
        });
      },
      [mode, only] as const,
    );
    expect(problems).toEqual([]);
    expect(cases.filter(({ status }) => status === 'passed').length).toBeGreaterThan(0);
  });
});
