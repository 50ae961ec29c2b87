import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ConvGeometry } from '../../src/kernels/conv.ts';
import { planChannelSum, planConvFilterGradient } from '../../src/kernels/filter-gradient.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import {
  convGeometries,
  errorOf,
  naiveFilterGradient,
  noise,
  plainGeometry,
  sharedHarness,
  sizes,
  withOutput,
} from './conv-cases.ts';

const geometries = convGeometries({
  channels: 9,
  groups: 3,
  size: 9,
  kernel: 4,
  stride: 3,
  dilation: 2,
  lhsDilation: 3,
});
const fewChannels = convGeometries({
  channels: 4,
  groups: 1,
  size: 12,
  kernel: 5,
  stride: 2,
  dilation: 1,
  lhsDilation: 1,
});

function positive(length: number, seed: number): Float32Array {
  return noise(length, seed).map((v) => v + 1.5);
}

function filterGradient(
  harness: KernelHarness,
  geometry: ConvGeometry,
  x: Float32Array,
  gradient: Float32Array,
): Float32Array {
  const bytes = sizes(geometry).filter * 4;
  const out = harness.allocate(bytes);
  harness.u8(out, bytes).fill(0xff);
  planConvFilterGradient(harness, {
    x: harness.put(x),
    gradient: harness.put(gradient),
    out,
    geometry,
  });
  harness.expectUntouchedAround(out, bytes);
  return harness.f32(out, bytes / 4).slice();
}

describe.each<Build>(['fma', 'base'])('gradient of a filter, %s build', (build) => {
  const shared = sharedHarness(build);

  it.each([
    ['any geometry', geometries],
    ['few channels', fewChannels],
  ])('agrees with float64 loops for %s', (_name, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, fc.integer(), (geometry, seed) => {
        const [x, g] = [noise(sizes(geometry).x, seed), noise(sizes(geometry).y, seed + 1)];
        expect(
          errorOf(filterGradient(shared(), geometry, x, g), naiveFilterGradient(geometry, x, g)),
        ).toBeLessThan(1e-5);
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    [
      '3x3 over several blocks and parts',
      plainGeometry({ batch: 3, channels: 7, size: 30, outputs: 13, kernel: 3, padding: 1 }),
    ],
    [
      '1x1, of which all pixels are one row',
      plainGeometry({ batch: 2, channels: 9, size: 25, outputs: 5, kernel: 1 }),
    ],
    [
      'RGB, 7x7, stride 2',
      plainGeometry({
        batch: 1,
        channels: 3,
        size: 40,
        outputs: 8,
        kernel: 7,
        stride: 2,
        padding: 3,
      }),
    ],
    [
      'rows longer than a run',
      withOutput({
        ...plainGeometry({ batch: 1, channels: 5, size: 3, outputs: 4, kernel: 3 }),
        size: [2, 1300],
        kernelSize: [1, 5],
        stride: [1, 1],
        padding: [0, 0, 2, 2],
        dilation: [1, 2],
      }),
    ],
  ])('is right for %s', (_name, geometry) => {
    const [x, g] = [noise(sizes(geometry).x, 1), noise(sizes(geometry).y, 2)];
    expect(
      errorOf(filterGradient(shared(), geometry, x, g), naiveFilterGradient(geometry, x, g)),
    ).toBeLessThan(1e-5);
  });

  it('agrees with float64 loops by minimal filtering, and takes it where 3x3 taps allow unless strict', () => {
    const integer = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
    const geometry = fc
      .record({
        batch: integer(14, 15),
        size: fc.tuple(integer(22, 26), integer(22, 26)),
        channels: integer(24, 33),
        outputs: integer(24, 33),
        padding: fc.tuple(integer(-1, 2), integer(-1, 2), integer(-1, 2), integer(-1, 2)),
      })
      .map((some) =>
        withOutput({
          ...plainGeometry({ batch: 1, channels: 1, size: 3, outputs: 1, kernel: 3 }),
          ...some,
        }),
      )
      .filter(({ outputSize }) => outputSize.every((length) => length >= 7));
    fc.assert(
      fc.property(geometry, fc.boolean(), fc.integer(), (some, strict, seed) => {
        const harness = new KernelHarness({ build, precision: strict ? 'strict' : 'fast' });
        const [x, g] = [noise(sizes(some).x, seed), noise(sizes(some).y, seed + 1)];
        const error = errorOf(filterGradient(harness, some, x, g), naiveFilterGradient(some, x, g));
        expect(error).toBeLessThan(strict ? 1e-6 : 5e-6);
        const isMinimal = harness.emitted.some(({ kernel }) => kernel === 'winogradGradient');
        expect(isMinimal).toBe(!strict);
      }),
      { numRuns: 12 },
    );
  });

  it('adds up blocks of tiles of a large batch', () => {
    const geometry = plainGeometry({
      batch: 5,
      channels: 32,
      size: 44,
      outputs: 24,
      kernel: 3,
      padding: 1,
    });
    const [x, g] = [positive(sizes(geometry).x, 1), positive(sizes(geometry).y, 2)];
    expect(
      errorOf(filterGradient(shared(), geometry, x, g), naiveFilterGradient(geometry, x, g)),
    ).toBeLessThan(2e-6);
  });

  it('leaves each group to itself, whatever stands in the others', () => {
    const geometry = plainGeometry({
      batch: 1,
      channels: 6,
      size: 5,
      outputs: 6,
      kernel: 3,
      groups: 2,
    });
    const [x, g] = [noise(sizes(geometry).x, 1), noise(sizes(geometry).y, 2)];
    const clean = filterGradient(shared(), geometry, x, g);
    const spoilt = x.map((v, i) => (i % 6 < 3 ? v : NaN));
    const half = clean.length / 2;
    expect(filterGradient(shared(), geometry, spoilt, g).subarray(0, half)).toEqual(
      clean.subarray(0, half),
    );
  });

  it('gives the same bits for 1, 2 and 4 threads and in any order of chunks', () => {
    const geometry = plainGeometry({
      batch: 5,
      channels: 48,
      size: 24,
      outputs: 56,
      kernel: 3,
      padding: 1,
    });
    const [x, g] = [noise(sizes(geometry).x, 1), noise(sizes(geometry).y, 2)];
    const results = [1, 2, 4].map((threads) => {
      const harness = new KernelHarness({ build, threads: threads });
      harness.order = threads === 2 ? 'descending' : 'ascending';
      return filterGradient(harness, geometry, x, g);
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('keeps the error of sums over 100,000 pixels near one rounding', () => {
    for (const groups of [1, 8]) {
      const geometry = plainGeometry({
        batch: 1,
        channels: 8,
        size: 316,
        outputs: 8,
        kernel: 1,
        groups,
      });
      const [x, g] = [positive(sizes(geometry).x, 1), positive(sizes(geometry).y, 2)];
      const expected = naiveFilterGradient(geometry, x, g);
      expect(errorOf(filterGradient(shared(), geometry, x, g), expected)).toBeLessThan(1e-6);
    }
  });

  it('sums channels over pixels', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 2000, max: 5000 })),
        fc.integer({ min: 1, max: 40 }),
        fc.integer(),
        (pixels, channels, seed) => {
          const harness = shared();
          const data = noise(pixels * channels, seed);
          const out = harness.allocate(channels * 4);
          planChannelSum(harness, { x: harness.put(data), pixels, channels, out });
          harness.expectUntouchedAround(out, channels * 4);
          const expected = new Float64Array(channels);
          data.forEach((v, i) => (expected[i % channels]! += v));
          // Sums may cancel: what counts is the size of what was summed.
          expect(errorOf(harness.f32(out, channels), expected)).toBeLessThan(
            1e-7 * Math.max(100, pixels),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('keeps the error of a long sum of channels near one rounding', () => {
    const [pixels, channels] = [200_000, 3];
    const data = noise(pixels * channels, 5).map((v) => v + 1.5);
    const harness = shared();
    const out = harness.allocate(channels * 4);
    planChannelSum(harness, { x: harness.put(data), pixels, channels, out });
    const expected = new Float64Array(channels);
    data.forEach((v, i) => (expected[i % channels]! += v));
    expect(errorOf(harness.f32(out, channels), expected)).toBeLessThan(3e-7);
  });
});
