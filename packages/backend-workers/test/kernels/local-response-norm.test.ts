import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  planLocalResponseNorm,
  type LocalResponseNorm,
} from '../../src/kernels/local-response-norm.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectClose } from './close.ts';
import { random } from './random.ts';

type Case = Omit<LocalResponseNorm, 'x' | 'y'>;

function naive({ outer, channels, inner, size, alpha, beta, k }: Case, x: Float32Array): number[] {
  const before = Math.floor(size / 2);
  const y: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < inner; i++) {
        let energy = 0;
        for (let near = c - before; near < c - before + size; near++) {
          if (near < 0 || near >= channels) continue;
          energy += x[(o * channels + near) * inner + i]! ** 2;
        }
        const at = (o * channels + c) * inner + i;
        y[at] = x[at]! / (k + (alpha / size) * energy) ** beta;
      }
    }
  }
  return y;
}

describe.each(['fma', 'base'] as const)('local response norm kernels, build %s', (build) => {
  function expectDefinition(one: Case, order: 'ascending' | 'descending'): void {
    const count = one.outer * one.channels * one.inner;
    const harness = new KernelHarness({ build, threads: 3 });
    harness.order = order;
    const data = random(count)
      .floats(count)
      .map((value) => value * 6);
    const y = harness.allocate(count * 4);
    planLocalResponseNorm(harness, { ...one, x: harness.put(data), y });
    expectClose(harness.f32(y, count), naive(one, data), 2e-6);
    harness.expectUntouchedAround(y, count * 4);
  }

  test('elements are divided by the energy of their neighbours', () => {
    expect.hasAssertions();
    const cases = fc.record({
      outer: fc.integer({ min: 1, max: 6 }),
      channels: fc.integer({ min: 1, max: 40 }),
      inner: fc.constantFrom(1, 1, 2, 7, 300),
      size: fc.integer({ min: 1, max: 100 }),
      alpha: fc.constantFrom(1e-4, 0.5, 2),
      beta: fc.constantFrom(0.75, 0.5, 1, 0.6, 2.5),
      k: fc.constantFrom(1, 2),
    });
    fc.assert(fc.property(cases, fc.constantFrom('ascending', 'descending'), expectDefinition), {
      numRuns: 60,
    });
  });

  test.each([1, 500])('many chunks agree with the definition, inner %i', (inner) => {
    expect.hasAssertions();
    const alexnet = { size: 5, alpha: 1e-4, beta: 0.75, k: 2 };
    expectDefinition(
      { outer: 400 / Math.min(inner, 40), channels: 96, inner, ...alexnet },
      'descending',
    );
  });

  test('more channels than scratch memory holds', () => {
    expect.hasAssertions();
    const one = { outer: 1, channels: 70_001, inner: 1, size: 3, alpha: 1, beta: 0.75, k: 1 };
    expectDefinition(one, 'ascending');
  });
});
