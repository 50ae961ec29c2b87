// Shapes and windows of pooling for property tests.

import fc from 'fast-check';

import type { PoolCase } from './naive-pool.ts';

interface Axis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly low: number;
  readonly high: number;
  readonly out: number;
}

const axis: fc.Arbitrary<Axis> = fc
  .record({
    size: fc.integer({ min: 1, max: 11 }),
    kernel: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 4 }),
    dilation: fc.constantFrom(1, 1, 1, 2, 3),
    low: fc.integer({ min: 0, max: 4 }),
    high: fc.integer({ min: 0, max: 4 }),
  })
  .map((a) => {
    const span = a.size + a.low + a.high - (a.kernel - 1) * a.dilation - 1;
    return Object.assign(a, { out: Math.floor(span / a.stride) + 1 });
  })
  .filter(({ out }) => out >= 1);

/** Small cases of every kind, windows wholly in the padding among them. */
export const poolCases: fc.Arbitrary<PoolCase> = fc
  .record({
    n: fc.integer({ min: 1, max: 3 }),
    c: fc.integer({ min: 1, max: 37 }),
    y: axis,
    x: axis,
  })
  .map(({ n, c, y, x }) => ({
    n,
    c,
    height: y.size,
    width: x.size,
    outHeight: y.out,
    outWidth: x.out,
    kernelSize: [y.kernel, x.kernel] as const,
    stride: [y.stride, x.stride] as const,
    padding: [y.low, y.high, x.low, x.high] as const,
    dilation: [y.dilation, x.dilation] as const,
  }));

function square(
  [n, c, size]: readonly [number, number, number],
  [kernel, stride, padding]: readonly [number, number, number],
): PoolCase {
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  return {
    n,
    c,
    height: size,
    width: size,
    outHeight: out,
    outWidth: out,
    kernelSize: [kernel, kernel],
    stride: [stride, stride],
    padding: [padding, padding, padding, padding],
    dilation: [1, 1],
  };
}

/** Pools of known networks, large enough for several chunks. */
export const networkPools: readonly PoolCase[] = [
  square([5, 6, 28], [2, 2, 0]),
  square([1, 64, 28], [3, 2, 1]),
  square([2, 180, 14], [14, 14, 0]),
  square([1, 640, 7], [7, 7, 0]),
  square([33, 16, 8], [8, 8, 0]),
];
