import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { planResample, type Resample } from '../../src/kernels/resample.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectClose, expectSame } from './close.ts';
import { random } from './random.ts';

interface Case extends Omit<Resample, 'x' | 'y' | 'weights' | 'starts' | 'output'> {
  readonly starts: readonly number[];
}

interface Data {
  readonly x: Float32Array;
  /** Every third is 0. */
  readonly weights: Float32Array;
}

function dataOf({ outer, length, inner, starts, taps }: Case): Data {
  const x = random(7).floats(outer * length * inner);
  const weights = random(3).floats(starts.length * taps);
  return { x, weights: weights.map((weight, i) => (i % 3 === 2 ? 0 : weight)) };
}

function naive({ outer, length, inner, starts, taps }: Case, { x, weights }: Data): number[] {
  const y: number[] = [];
  for (let o = 0; o < outer; o++) {
    for (const [i, start] of starts.entries()) {
      for (let k = 0; k < inner; k++) {
        let sum = 0;
        for (let t = 0; t < taps; t++) {
          const [weight, place] = [weights[i * taps + t]!, start + t];
          if (weight === 0 || place < 0 || place >= length) continue;
          sum += weight * x[(o * length + place) * inner + k]!;
        }
        y.push(sum);
      }
    }
  }
  return y;
}

/** Windows that rise evenly along the axis, as those of resized images do. */
function even(length: number, output: number, taps: number): number[] {
  return Array.from({ length: output }, (_, i) => Math.floor((i * (length - taps + 1)) / output));
}

describe.each(['fma', 'base'] as const)('resample kernels, build %s', (build) => {
  function compute(
    one: Case,
    { x, weights }: Data,
    {
      threads = 3,
      order = 'descending',
    }: { threads?: number; order?: KernelHarness['order'] } = {},
  ): { y: Float32Array; harness: KernelHarness } {
    const harness = new KernelHarness({ build, threads });
    harness.order = order;
    const output = one.starts.length;
    const count = one.outer * output * one.inner;
    const y = harness.allocate(count * 4);
    planResample(harness, {
      ...one,
      output,
      x: harness.put(x),
      weights: harness.put(weights),
      starts: harness.put(Int32Array.from(one.starts)),
      y,
    });
    harness.expectUntouchedAround(y, count * 4);
    return { y: harness.f32(y, count), harness };
  }

  test('elements are sums over their windows', () => {
    expect.hasAssertions();
    const cases = fc.record({
      outer: fc.integer({ min: 1, max: 21 }),
      length: fc.integer({ min: 1, max: 12 }),
      inner: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(12, 15, 16, 21, 64, 70)),
      taps: fc.integer({ min: 1, max: 6 }),
      starts: fc.array(fc.integer({ min: -4, max: 13 }), { minLength: 1, maxLength: 14 }),
    });
    const orders = fc.constantFrom('ascending', 'descending');
    fc.assert(
      fc.property(cases, orders, (one, order) => {
        const data = dataOf(one);
        expectClose(compute(one, data, { order }).y, naive(one, data), 1e-6, 0.5);
      }),
      { numRuns: 80 },
    );
  });

  const large: [string, Case][] = [
    ['columns of planes', { outer: 300, length: 40, inner: 1, taps: 2, starts: even(40, 90, 2) }],
    ['columns of pixels', { outer: 70, length: 40, inner: 3, taps: 4, starts: even(40, 30, 4) }],
    ['rows', { outer: 3, length: 40, inner: 250, taps: 3, starts: even(40, 90, 3) }],
    ['one output element', { outer: 5, length: 90, inner: 600, taps: 90, starts: [0] }],
    // Sixteen lines would not fit into scratch memory, then not even four.
    ['long lines', { outer: 9, length: 9000, inner: 1, taps: 3, starts: even(9000, 50, 3) }],
    ['longer lines', { outer: 3, length: 17_000, inner: 2, taps: 3, starts: even(17_000, 50, 3) }],
  ];
  test.each(large)('%s agree with the definition, on any number of threads', (_, one) => {
    expect.hasAssertions();
    const data = dataOf(one);
    const { y } = compute(one, data, { threads: 4 });
    expectClose(y, naive(one, data), 1e-6, 0.5);
    for (const threads of [1, 2]) expectSame(compute(one, data, { threads }).y, y);
  });

  test('many lines and rows are shared among threads', () => {
    for (const name of ['columns of planes', 'rows']) {
      const [, one] = large.find(([title]) => title === name)!;
      const { emitted } = compute(one, dataOf(one), { threads: 4 }).harness;
      expect(emitted).toHaveLength(1);
      expect(emitted[0]!.chunks).toBeGreaterThan(1);
    }
  });

  test.each([1, 3, 16, 40])('NaN stays in its windows, %i elements inside', (inner) => {
    expect.hasAssertions();
    const one = { outer: 6, length: 5, inner, taps: 2, starts: [0, 1, 2, 3, 4, -1] };
    const { x } = dataOf(one);
    const weights = Float32Array.of(1, 0, 0.5, 0.5, 0.5, -0.5, 0, 1, 1, 3, 3, 1);
    for (const value of [NaN, Infinity]) {
      const wild = x.map((number, at) => (at % 7 === 0 ? value : number));
      expectClose(compute(one, { x: wild, weights }).y, naive(one, { x: wild, weights }), 1e-6, 3);
    }
  });
});
