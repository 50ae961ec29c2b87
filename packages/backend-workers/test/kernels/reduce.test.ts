import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { planReduce, type ReduceOp } from '../../src/kernels/reduce.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { floats, random, wholes } from './broadcasts.ts';
import { bitMismatch, mismatch } from './mismatch.ts';

const ops: readonly ReduceOp[] = [
  'reduceSum',
  'reduceMean',
  'reduceProd',
  'reduceMax',
  'reduceMin',
];

type Values = Float32Array | Int32Array;

const starts: Readonly<Record<ReduceOp, number>> = {
  reduceSum: 0,
  reduceMean: 0,
  reduceProd: 1,
  reduceMax: -Infinity,
  reduceMin: Infinity,
};

function step(op: ReduceOp, whole: boolean): (a: number, b: number) => number {
  if (op === 'reduceMax') return Math.max;
  if (op === 'reduceMin') return Math.min;
  if (op === 'reduceProd') return whole ? Math.imul : (a, b) => a * b;
  return whole ? (a, b) => (a + b) | 0 : (a, b) => a + b;
}

/** One element after the other, in float64. */
function naive(
  op: ReduceOp,
  x: Values,
  shape: readonly number[],
  axes: readonly number[],
): number[] {
  const kept = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const result = Array.from({ length: kept.reduce((a, b) => a * b, 1) }, () => starts[op]);
  const fold = step(op, x instanceof Int32Array);
  for (const [flat, value] of x.entries()) {
    let rest = flat;
    let at = 0;
    let stride = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (!axes.includes(axis)) {
        at += (rest % shape[axis]!) * stride;
        stride *= shape[axis]!;
      }
      rest = Math.floor(rest / shape[axis]!);
    }
    result[at] = fold(result[at]!, value);
  }
  const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
  return op === 'reduceMean' ? result.map((sum) => sum / count) : result;
}

interface Case {
  readonly op: ReduceOp;
  readonly shape: readonly number[];
  readonly axes: readonly number[];
}

function reduce(harness: KernelHarness, { op, shape, axes }: Case, x: Values): Values {
  const count = shape.reduce((n, length, axis) => (axes.includes(axis) ? n : n * length), 1);
  const y = harness.allocate(count * 4);
  const dtype = x instanceof Int32Array ? 'int32' : 'float32';
  planReduce(harness, { op, dtype, shape, axes, x: harness.put(x), y });
  harness.expectUntouchedAround(y, count * 4);
  return dtype === 'int32' ? harness.i32(y, count) : harness.f32(y, count);
}

/** About one rounding. */
function rounding(value: number): number {
  return 1e-7 * Math.abs(value);
}

const shapes = fc
  .array(
    fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 7 }), fc.integer({ min: 2, max: 40 })),
    {
      maxLength: 6,
    },
  )
  .filter((shape) => shape.reduce((a, b) => a * b, 1) < 20_000)
  .chain((shape) => fc.tuple(fc.constant(shape), fc.subarray(shape.map((_, axis) => axis))));

describe.each<Build>(['fma', 'base'])('build %s', (build) => {
  it.each(ops)('%s of float32 over any axes', (op) => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(shapes, fc.integer(), fc.boolean(), ([shape, axes], seed, special) => {
        harness.order = special ? 'descending' : 'ascending';
        const size = shape.reduce((a, b) => a * b, 1);
        const x = floats(seed, size, special ? 0.02 : 0);
        if (op === 'reduceProd') x.set(x.map((value) => 1 + value / 64));
        expect(
          mismatch(reduce(harness, { op, shape, axes }, x), naive(op, x, shape, axes), rounding),
        ).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it.each(ops.filter((op) => op !== 'reduceMean'))('%s of int32 over any axes', (op) => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(shapes, fc.integer(), ([shape, axes], seed) => {
        const x = wholes(
          seed,
          shape.reduce((a, b) => a * b, 1),
        );
        const y = reduce(harness, { op, shape, axes }, x);
        expect([...y]).toEqual(naive(op, x, shape, axes));
      }),
      { numRuns: 30 },
    );
  });

  it.each<[string, number[], number[]]>([
    ['of everything', [700_003], [0]],
    ['of columns', [5000, 67], [0]],
    ['of many columns', [31, 9001], [0]],
    ['of rows', [1200, 257], [1]],
    ['of the middle', [6, 3136, 24], [1]],
    ['of channels', [8, 20, 2000], [0, 2]],
    ['of the ends and the middle', [3, 4, 50, 3, 90, 2], [0, 2, 4]],
    ['of odd places', [3, 4, 50, 3, 90, 2], [1, 3, 5]],
  ])('sums %s in parts, to 1e-7, alike for all threads and orders', (_, shape, axes) => {
    const next = random(7);
    const size = shape.reduce((a, b) => a * b, 1);
    const x = Float32Array.from({ length: size }, () => next() * 2 - 0.9);
    const wanted = naive('reduceSum', x, shape, axes);
    const results = [1, 2, 4].map((threads) => {
      const harness = new KernelHarness({ build, threads, megabytes: 16 });
      harness.order = threads === 2 ? 'descending' : 'ascending';
      const y = reduce(harness, { op: 'reduceSum', shape, axes }, x);
      expect(harness.emitted[0]!.chunks).toBeGreaterThanOrEqual(Math.min(threads, 2));
      return y.slice();
    });
    expect(mismatch(results[0]!, wanted, rounding)).toBeNull();
    expect(bitMismatch(results[1]!, results[0]!)).toBeNull();
    expect(bitMismatch(results[2]!, results[0]!)).toBeNull();
  });

  it('takes means and maxima in parts', () => {
    const harness = new KernelHarness({ build, threads: 4, megabytes: 16 });
    const x = floats(3, 300_000);
    x[170_001] = NaN;
    const shape = [100_000, 3];
    expect(
      mismatch(
        reduce(harness, { op: 'reduceMean', shape, axes: [0] }, x),
        naive('reduceMean', x, shape, [0]),
        rounding,
      ),
    ).toBeNull();
    const y = reduce(harness, { op: 'reduceMax', shape, axes: [0] }, x);
    expect([...y]).toEqual(naive('reduceMax', x, shape, [0]));
    expect(harness.emitted.map(({ kernel }) => kernel)).toEqual([
      'reduceSumRows',
      'combineSum',
      'reduceMaxRows',
      'combineMax',
    ]);
  });

  it('gives over no elements 0, 1 or NaN', () => {
    const harness = new KernelHarness({ build, megabytes: 8 });
    const results = (['reduceSum', 'reduceProd', 'reduceMean'] as const).map((op) =>
      Array.from(reduce(harness, { op, shape: [3, 0, 2], axes: [1] }, new Float32Array(0))),
    );
    expect(results).toEqual([0, 1, NaN].map((value) => Array.from({ length: 6 }, () => value)));
  });
});
