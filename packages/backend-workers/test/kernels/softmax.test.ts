import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  planSoftmax,
  planSoftmaxCrossEntropy,
  planSoftmaxCrossEntropyGradient,
} from '../../src/kernels/softmax.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { floats, random } from './broadcasts.ts';
import { bitMismatch, mismatch } from './mismatch.ts';

/** Softmax or its logarithm along the middle axis of [outer, length, inner], in float64. */
function naive(
  op: 'softmax' | 'logSoftmax',
  x: ArrayLike<number>,
  [outer, length, inner]: readonly [number, number, number],
): Float64Array {
  const y = new Float64Array(x.length);
  for (let line = 0; line < outer * inner; line++) {
    const start = Math.floor(line / inner) * length * inner + (line % inner);
    const places = Array.from({ length }, (_, i) => start + i * inner);
    const most = Math.max(...places.map((at) => x[at]!));
    const sum = places.reduce((total, at) => total + Math.exp(x[at]! - most), 0);
    for (const at of places) {
      const shifted = x[at]! - most;
      y[at] = op === 'softmax' ? Math.exp(shifted) / sum : shifted - Math.log(sum);
    }
  }
  return y;
}

describe.each<Build>(['fma', 'base'])('build %s', (build) => {
  it.each(['softmax', 'logSoftmax'] as const)('%s along any axis', (op) => {
    const harness = new KernelHarness({ build });
    const length = fc.integer({ min: 1, max: 21 });
    const wide = fc.oneof(length, fc.integer({ min: 60, max: 140 }));
    fc.assert(
      fc.property(length, length, wide, fc.integer(), fc.boolean(), (o, l, i, seed, special) => {
        harness.order = special ? 'descending' : 'ascending';
        const x = floats(seed, o * l * i, special ? 0.03 : 0);
        const bytes = x.byteLength;
        const from = harness.put(x);
        // In place, or not.
        const y = special ? from : harness.allocate(bytes);
        planSoftmax(harness, { op, shape: [o, l, i], axis: 1, x: from, y });
        harness.expectUntouchedAround(y, bytes);
        const tolerance = op === 'softmax' ? 4e-7 : 2e-6;
        expect(
          mismatch(harness.f32(y, x.length), naive(op, x, [o, l, i]), () => tolerance),
        ).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    [500, 1000, 1],
    [3, 21, 5003],
  ] as const)('gives the same bits for all threads and orders: %i x %i x %i', (o, l, i) => {
    const next = random(1);
    const x = Float32Array.from({ length: o * l * i }, () => next() * 40 - 20);
    for (const op of ['softmax', 'logSoftmax'] as const) {
      const results = [1, 3].map((threads) => {
        const harness = new KernelHarness({ build, threads, megabytes: 16 });
        harness.order = threads === 3 ? 'descending' : 'ascending';
        const y = harness.put(x);
        planSoftmax(harness, { op, shape: [o, l, i], axis: 1, x: y, y });
        expect(harness.emitted[0]!.chunks).toBeGreaterThanOrEqual(threads);
        return harness.f32(y, x.length).slice();
      });
      expect(bitMismatch(results[1]!, results[0]!)).toBeNull();
      expect(
        mismatch(results[0]!, naive(op, x, [o, l, i]), () => (op === 'softmax' ? 4e-7 : 4e-6)),
      ).toBeNull();
    }
  });

  it('keeps small probabilities to a few units in the last place, and takes those below 2^-126 for 0', () => {
    const harness = new KernelHarness({ build });
    const length = 2000;
    // The largest is 0, far from where a row begins or ends.
    const x = Float32Array.from({ length }, (_, i) => -Math.abs(i - 777.25) / 9 + 0.25 / 9);
    x[3] = -Infinity;
    const y = harness.allocate(x.byteLength);
    planSoftmax(harness, { op: 'softmax', shape: [1, length], axis: 1, x: harness.put(x), y });
    const exact = naive('softmax', x, [1, length, 1]);
    const small = exact.map((value, i) => (x[i]! < -87.33655 ? 0 : value));
    const result = harness.f32(y, length);
    expect(result[3]).toBe(0);
    expect(small.filter((value) => value > 0 && value < 2 ** -120).length).toBeGreaterThan(20);
    expect(mismatch(result, small, (value) => value * 2 ** -21 + 2 ** -149)).toBeNull();
  });

  it('takes the cross-entropy of the class of each row, and its gradient', () => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer(),
        (n, count, seed) => {
          const next = random(seed);
          const x = Float32Array.from({ length: n * count }, () => next() * 20 - 10);
          const picks = Int32Array.from({ length: n }, () => Math.floor(next() * count));
          const g = Float32Array.from({ length: n }, () => next() * 2 - 1);
          const classes = harness.put(picks);
          const logits = harness.put(x);
          const losses = harness.allocate(n * 4);
          planSoftmaxCrossEntropy(harness, {
            n,
            count,
            logits,
            classes,
            losses,
            logProbabilities: logits,
          });
          harness.expectUntouchedAround(losses, n * 4);
          harness.expectUntouchedAround(logits, x.byteLength);
          const logs = naive('logSoftmax', x, [n, count, 1]);
          expect(mismatch(harness.f32(logits, x.length), logs, () => 4e-6)).toBeNull();
          const wanted = Float64Array.from(picks, (pick, row) => -logs[row * count + pick]!);
          expect(mismatch(harness.f32(losses, n), wanted, () => 4e-6)).toBeNull();

          const y = harness.allocate(x.byteLength);
          planSoftmaxCrossEntropyGradient(harness, {
            n,
            count,
            classes,
            y,
            gradient: harness.put(g),
            logProbabilities: logits,
          });
          harness.expectUntouchedAround(y, x.byteLength);
          const slope = logs.map((log, i) => {
            const row = Math.floor(i / count);
            return (Math.exp(log) - Number(i % count === picks[row])) * g[row]!;
          });
          expect(mismatch(harness.f32(y, x.length), slope, () => 4e-6)).toBeNull();
        },
      ),
      { numRuns: 40 },
    );
    expect(harness.failures).toEqual([]);
  });

  it.each([-1, 3, 2 ** 31 - 1])('reports class %i of 3 and goes on', (wrong) => {
    const harness = new KernelHarness({ build });
    const losses = harness.allocate(8);
    const logits = harness.put(Float32Array.from([1, 2, 3, 1, 1, 1]));
    planSoftmaxCrossEntropy(harness, {
      n: 2,
      count: 3,
      logits,
      losses,
      logProbabilities: logits,
      classes: harness.put(Int32Array.from([wrong, 0])),
    });
    expect(harness.failures).toEqual([{ code: 1, value: wrong }]);
    const [first, second] = harness.f32(losses, 2);
    expect(first).toBeNaN();
    expect(second).toBeCloseTo(Math.log(3), 6);
  });
});
