import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { conv2dOutputSize } from '@convoke/backend-api';

import type { ConvGeometry } from '../../src/kernels/conv.ts';
import {
  chooseInputGradient,
  inputGradientGeometry,
  planConvInputGradient,
  planPackTransposedFilter,
  transposedFilterBytes,
} from '../../src/kernels/conv-gradients.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import {
  convGeometries,
  errorOf,
  naiveInputGradient,
  noise,
  plainGeometry,
  sharedHarness,
  sizes,
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

function inputGradient(
  harness: KernelHarness,
  geometry: ConvGeometry,
  gradient: Float32Array,
  filter: Float32Array,
): Float32Array {
  const algorithm = chooseInputGradient(geometry, harness.precision);
  const formBytes = transposedFilterBytes(geometry, algorithm);
  const packed = harness.allocate(formBytes);
  planPackTransposedFilter(harness, {
    geometry,
    algorithm,
    filter: harness.put(filter),
    to: packed,
  });
  harness.expectUntouchedAround(packed, formBytes);
  const bytes = sizes(geometry).x * 4;
  const out = harness.allocate(bytes);
  harness.u8(out, bytes).fill(0xff);
  planConvInputGradient(harness, {
    geometry,
    algorithm,
    gradient: harness.put(gradient),
    filter: packed,
    out,
  });
  harness.expectUntouchedAround(out, bytes);
  return harness.f32(out, bytes / 4).slice();
}

function withMoreOutputs(geometry: ConvGeometry): ConvGeometry {
  return { ...geometry, outputs: geometry.outputs + 7 };
}

/** Few input channels and more outputs. */
const narrow = convGeometries({
  channels: 6,
  groups: 1,
  size: 9,
  kernel: 4,
  stride: 3,
  dilation: 2,
  lhsDilation: 1,
}).map(withMoreOutputs);

describe('geometry of an input gradient', () => {
  it('is a convolution whose output has the size of the input', () => {
    fc.assert(
      fc.property(geometries, (geometry) => {
        const { size, kernelSize, dilation, ...rest } = inputGradientGeometry(geometry);
        const output = conv2dOutputSize('test', size, kernelSize, {
          ...rest,
          rhsDilation: dilation,
        });
        expect(output).toEqual(geometry.size);
      }),
    );
  });
});

describe.each<Build>(['fma', 'base'])('gradient of an input, %s build', (build) => {
  const shared = sharedHarness(build);

  it.each([
    ['any geometry', geometries],
    ['few channels', narrow],
  ])('agrees with float64 loops for %s', (_name, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, fc.integer(), (geometry, seed) => {
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

  it.each([
    [
      '3x3',
      plainGeometry({ batch: 2, channels: 20, size: 14, outputs: 24, kernel: 3, padding: 1 }),
    ],
    [
      '3x3 of stride 2',
      plainGeometry({
        batch: 2,
        channels: 16,
        size: 14,
        outputs: 12,
        kernel: 3,
        padding: 1,
        stride: 2,
      }),
    ],
    ['1x1', plainGeometry({ batch: 2, channels: 17, size: 9, outputs: 10, kernel: 1 })],
    [
      '1x1 of stride 2',
      plainGeometry({ batch: 1, channels: 9, size: 9, outputs: 10, kernel: 1, stride: 2 }),
    ],
    [
      '7x7 of stride 2 to RGB',
      plainGeometry({
        batch: 1,
        channels: 3,
        size: 22,
        outputs: 16,
        kernel: 7,
        padding: 3,
        stride: 2,
      }),
    ],
    [
      '5x5 to six channels, images that share a command',
      plainGeometry({ batch: 3, channels: 6, size: 14, outputs: 16, kernel: 5 }),
    ],
    [
      '5x5 to six channels, images too large for it',
      plainGeometry({ batch: 2, channels: 6, size: 28, outputs: 16, kernel: 5, padding: 2 }),
    ],
  ])('is right for %s in both precisions', (_name, geometry) => {
    const [g, filter] = [noise(sizes(geometry).y, 1), noise(sizes(geometry).filter, 2)];
    const expected = naiveInputGradient(geometry, g, filter);
    const strict = new KernelHarness({ build, precision: 'strict' });
    expect(errorOf(inputGradient(strict, geometry, g, filter), expected)).toBeLessThan(4e-6);
    // Winograd's rounding is coarser than a plain sum's.
    expect(errorOf(inputGradient(shared(), geometry, g, filter), expected)).toBeLessThan(2e-5);
  });

  it.each([
    [
      '3x3 of stride 2',
      plainGeometry({
        batch: 2,
        channels: 24,
        size: 28,
        outputs: 24,
        kernel: 3,
        padding: 1,
        stride: 2,
      }),
    ],
    ['5x5', plainGeometry({ batch: 9, channels: 6, size: 14, outputs: 16, kernel: 5 })],
  ])('gives the same bits for 1 and 4 threads, %s', (_name, geometry) => {
    const [g, filter] = [noise(sizes(geometry).y, 1), noise(sizes(geometry).filter, 2)];
    expect(inputGradient(new KernelHarness({ build, threads: 4 }), geometry, g, filter)).toEqual(
      inputGradient(new KernelHarness({ build, threads: 1 }), geometry, g, filter),
    );
  });
});
