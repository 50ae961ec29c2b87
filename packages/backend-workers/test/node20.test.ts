// A part of the conformance kit with the built packages on Node 20, whose engine has no relaxed SIMD: the base build of the
// kernels. The slow tests run all of it.

import { describe, expect, test } from 'vitest';

import { findNode20, runKit } from './node20.ts';

const program = await findNode20();

describe.skipIf(program === null)('Node 20', () => {
  test("passes the kit's cases of ops forward, of ownership and of life", async () => {
    const only = '^(factory|forward|ownership|disposal|reading|late errors)/';
    const run = await runKit(program!, { threads: 2, precision: 'fast' }, only);
    expect(run).toMatchObject({
      node: expect.stringMatching(/^v20\./),
      mode: expect.stringMatching(/^2 threads, SIMD, shared memory/),
      problems: [],
    });
    expect(run.passed).toBeGreaterThan(500);
  });
});
