// The whole conformance kit with the built packages on Node 20.

import { describe, expect, test } from 'vitest';

import { findNode20, runKit } from '../test/node20.ts';

const program = await findNode20();

describe.skipIf(program === null)('the conformance kit on Node 20', () => {
  test.each([
    { threads: 1, precision: 'strict' },
    { threads: 2, precision: 'fast' },
    { threads: 4, precision: 'fast' },
    { threads: 4, precision: 'strict' },
  ] as const)('passes with $threads threads, $precision', async (options) => {
    const { problems, passed } = await runKit(program!, options);
    expect(problems).toEqual([]);
    expect(passed).toBeGreaterThan(500);
  });
});
