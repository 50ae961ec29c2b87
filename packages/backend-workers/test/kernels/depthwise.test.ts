import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ConvGeometry } from '../../src/kernels/conv.ts';
import {
  packedDepthwiseBytes,
  packedDepthwiseGradientBytes,
  planDepthwise,
  planDepthwiseFilterGradient,
  planDepthwiseInputGradient,
  planPackDepthwise,
  planPackDepthwiseGradient,
} from '../../src/kernels/depthwise.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import {
  convGeometries,
  errorOf,
  hasOutput,
  naiveFilterGradient,
  naiveForward,
  naiveInputGradient,
  noise,
  plainGeometry,
  sharedHarness,
  sizes,
  withOutput,
} from './conv-cases.ts';

const small = { channels: 1, groups: 11, size: 9 };
const general = convGeometries({ ...small, kernel: 4, stride: 3, dilation: 2, lhsDilation: 3 });
/** What the fast kernels take, in most cases. */
const fast = fc
  .record({
    base: convGeometries({ ...small, kernel: 1, stride: 1, dilation: 1, lhsDilation: 1 }),
    kernel: fc.constantFrom(3, 5),
    dilation: fc.constantFrom(1, 1, 2),
    size: fc.tuple(fc.integer({ min: 3, max: 14 }), fc.integer({ min: 3, max: 14 })),
    stride: fc.constantFrom<[number, number]>([1, 1], [2, 2], [1, 2], [3, 1]),
  })
  .map(({ base, kernel, dilation, size, stride }) =>
    withOutput({
      ...base,
      size,
      stride,
      outputs: base.channels,
      kernelSize: [kernel, kernel],
      dilation: [dilation, dilation],
    }),
  )
  .filter(hasOutput);
/** One channel a group, so that outputs are a multiple of channels. */
function withSingleChannels(geometry: ConvGeometry): ConvGeometry {
  return { ...geometry, channels: geometry.groups };
}

const multiplied = convGeometries({
  channels: 3,
  groups: 6,
  size: 9,
  kernel: 3,
  stride: 2,
  dilation: 2,
  lhsDilation: 2,
}).map(withSingleChannels);
const geometries = fc.oneof(fast, general, multiplied);

function run(harness: KernelHarness, bytes: number, plan: (out: number) => void): Float32Array {
  const out = harness.allocate(bytes);
  harness.u8(out, bytes).fill(0xff);
  plan(out);
  harness.expectUntouchedAround(out, bytes);
  return harness.f32(out, bytes / 4).slice();
}

function forward(
  harness: KernelHarness,
  geometry: ConvGeometry,
  x: Float32Array,
  filter: Float32Array,
  rest: { bias?: Float32Array; residual?: Float32Array; clamp?: [number, number] } = {},
): Float32Array {
  const weight = harness.allocate(packedDepthwiseBytes(geometry));
  planPackDepthwise(harness, { filter: harness.put(filter), packed: weight, geometry });
  harness.expectUntouchedAround(weight, packedDepthwiseBytes(geometry));
  return run(harness, sizes(geometry).y * 4, (y) =>
    planDepthwise(harness, {
      x: harness.put(x),
      weight,
      y,
      geometry,
      bias: rest.bias ? harness.put(rest.bias) : 0,
      residual: rest.residual ? harness.put(rest.residual) : 0,
      clamp: rest.clamp ?? [-Infinity, Infinity],
    }),
  );
}

function inputGradient(
  harness: KernelHarness,
  geometry: ConvGeometry,
  gradient: Float32Array,
  filter: Float32Array,
): Float32Array {
  const weight = harness.allocate(packedDepthwiseGradientBytes(geometry));
  planPackDepthwiseGradient(harness, { filter: harness.put(filter), packed: weight, geometry });
  harness.expectUntouchedAround(weight, packedDepthwiseGradientBytes(geometry));
  return run(harness, sizes(geometry).x * 4, (out) =>
    planDepthwiseInputGradient(harness, { gradient: harness.put(gradient), weight, out, geometry }),
  );
}

function filterGradient(
  harness: KernelHarness,
  geometry: ConvGeometry,
  x: Float32Array,
  gradient: Float32Array,
): Float32Array {
  return run(harness, sizes(geometry).filter * 4, (out) =>
    planDepthwiseFilterGradient(harness, {
      x: harness.put(x),
      gradient: harness.put(gradient),
      out,
      geometry,
    }),
  );
}

describe.each<Build>(['fma', 'base'])('depthwise convolution, %s build', (build) => {
  const shared = sharedHarness(build);

  it('agrees with float64 loops for any geometry', () => {
    fc.assert(
      fc.property(geometries, fc.integer(), (geometry, seed) => {
        const [x, filter] = [
          noise(sizes(geometry).x, seed),
          noise(sizes(geometry).filter, seed + 1),
        ];
        expect(
          errorOf(forward(shared(), geometry, x, filter), naiveForward(geometry, x, filter)),
        ).toBeLessThan(1e-5);
      }),
      { numRuns: 100 },
    );
  });

  it('agrees with float64 loops for rows of every length around one piece and two', () => {
    const wide = fc
      .record({
        width: fc.oneof(fc.integer({ min: 62, max: 70 }), fc.integer({ min: 124, max: 134 })),
        channels: fc.integer({ min: 1, max: 9 }),
        size: fc.constantFrom(3, 5),
        left: fc.integer({ min: -2, max: 70 }),
        right: fc.integer({ min: -2, max: 70 }),
      })
      .map(({ width, channels, size, left, right }) =>
        withOutput({
          ...plainGeometry({
            batch: 1,
            channels,
            groups: channels,
            outputs: channels,
            size: 6,
            kernel: size,
          }),
          size: [6, width],
          padding: [1, 1, left, right],
        }),
      );
    fc.assert(
      fc.property(wide, fc.integer(), (geometry, seed) => {
        const { x: elements, filter: taps } = sizes(geometry);
        const [x, filter] = [noise(elements, seed), noise(taps, seed + 1)];
        const y = forward(shared(), geometry, x, filter);
        expect(errorOf(y, naiveForward(geometry, x, filter))).toBeLessThan(1e-5);
      }),
      { numRuns: 40 },
    );
  });

  it('adds bias and residual, then applies the bounds', () => {
    fc.assert(
      fc.property(geometries, fc.integer(), (geometry, seed) => {
        const [x, filter] = [
          noise(sizes(geometry).x, seed),
          noise(sizes(geometry).filter, seed + 1),
        ];
        const [bias, residual] = [
          noise(geometry.outputs, seed + 2),
          noise(sizes(geometry).y, seed + 3),
        ];
        const expected = naiveForward(geometry, x, filter).map((v, i) =>
          Math.min(0.75, Math.max(0, v + bias[i % geometry.outputs]! + residual[i]!)),
        );
        const actual = forward(shared(), geometry, x, filter, { bias, residual, clamp: [0, 0.75] });
        expect(errorOf(actual, expected)).toBeLessThan(1e-5);
      }),
      { numRuns: 80 },
    );
  });

  it('gives the gradient with respect to the input for any geometry', () => {
    fc.assert(
      fc.property(geometries, fc.integer(), (geometry, seed) => {
        const [g, filter] = [
          noise(sizes(geometry).y, seed),
          noise(sizes(geometry).filter, seed + 1),
        ];
        expect(
          errorOf(
            inputGradient(shared(), geometry, g, filter),
            naiveInputGradient(geometry, g, filter),
          ),
        ).toBeLessThan(1e-5);
      }),
      { numRuns: 100 },
    );
  });

  it('gives the gradient with respect to the filter for any geometry', () => {
    fc.assert(
      fc.property(geometries, fc.integer(), (geometry, seed) => {
        const [x, g] = [noise(sizes(geometry).x, seed), noise(sizes(geometry).y, seed + 1)];
        expect(
          errorOf(filterGradient(shared(), geometry, x, g), naiveFilterGradient(geometry, x, g)),
        ).toBeLessThan(1e-5);
      }),
      { numRuns: 100 },
    );
  });

  it('lets not-a-number through the bounds', () => {
    const geometry = plainGeometry({
      batch: 1,
      channels: 4,
      groups: 4,
      outputs: 4,
      size: 3,
      kernel: 3,
      padding: 1,
    });
    const x = noise(sizes(geometry).x, 1).fill(NaN);
    const y = forward(shared(), geometry, x, noise(sizes(geometry).filter, 2), { clamp: [0, 6] });
    expect([...y].every(Number.isNaN)).toBe(true);
  });

  it('gives the same bits for 1 and 4 threads and in any order of chunks', () => {
    const geometry = plainGeometry({
      batch: 2,
      channels: 22,
      groups: 22,
      outputs: 22,
      size: 40,
      kernel: 3,
      padding: 1,
      stride: 2,
    });
    const [x, g] = [noise(sizes(geometry).x, 1), noise(sizes(geometry).y, 2)];
    const filter = noise(sizes(geometry).filter, 3);
    const results = [1, 4].map((threads) => {
      const harness = new KernelHarness({ build, threads: threads });
      harness.order = threads === 1 ? 'ascending' : 'descending';
      return [
        forward(harness, geometry, x, filter),
        inputGradient(harness, geometry, g, filter),
        filterGradient(harness, geometry, x, g),
      ];
    });
    expect(results[1]).toEqual(results[0]);
  });
});
