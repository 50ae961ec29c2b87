import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ConvGeometry } from '../../src/kernels/conv.ts';
import {
  planWinogradConv,
  planWinogradFilter,
  winogradFilterBytes,
  type WinogradConv,
  type WinogradSize,
} from '../../src/kernels/winograd.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { naiveConv, output } from './naive-conv.ts';
import { random } from './random.ts';

interface Case {
  readonly m: WinogradSize;
  readonly batch: number;
  readonly size: readonly [number, number];
  readonly channels: number;
  readonly outputs: number;
  readonly padding: ConvGeometry['padding'];
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly clamp?: readonly [number, number];
}

interface Harnessed {
  readonly build: Build;
  readonly threads?: number;
  readonly order?: KernelHarness['order'];
  readonly tileRows?: 4 | 6;
  readonly way?: NonNullable<WinogradConv['way']>;
}

function geometryOf({ batch, size, channels, outputs, padding }: Case): ConvGeometry {
  return output({
    batch,
    size,
    channels,
    outputs,
    padding,
    kernelSize: [3, 3],
    stride: [1, 1],
    dilation: [1, 1],
    lhsDilation: [1, 1],
    groups: 1,
  });
}

interface Outcome {
  readonly result: Float32Array;
  /** The largest error against float64 sums, in units of what is allowed. */
  readonly deviation: number;
}

/** Runs a case, and throws where anything was written outside the result. */
function run(one: Case, how: Harnessed): Outcome {
  const { m, channels, outputs, clamp = [-Infinity, Infinity] } = one;
  const geometry = geometryOf(one);
  const { batch, size, outputSize } = geometry;
  const harness = new KernelHarness({ build: how.build, threads: how.threads ?? 2, megabytes: 48 });
  harness.order = how.order ?? 'ascending';
  if (how.tileRows) Object.assign(harness, { tileRows: how.tileRows });
  const r = random(channels * 31 + outputs * 7 + size[0]);
  const x = r.floats(batch * size[0] * size[1] * channels);
  const filter = r.floats(outputs * channels * 9);
  const count = batch * outputSize[0] * outputSize[1] * outputs;
  const bias = r.floats(outputs);
  const residual = r.floats(count);
  const bytes = winogradFilterBytes(m, channels, outputs);
  const to = harness.allocate(bytes);
  planWinogradFilter(harness, { m, filter: harness.put(filter), to, channels, outputs });
  harness.expectUntouchedAround(to, bytes);
  const y = harness.allocate(count * 4);
  harness.f32(y, count).fill(NaN);
  planWinogradConv(harness, {
    m,
    geometry,
    x: harness.put(x),
    filter: to,
    y,
    bias: one.bias ? harness.put(bias) : 0,
    residual: one.residual ? harness.put(residual) : 0,
    clamp,
    ...(how.way ? { way: how.way } : {}),
  });

  const result = harness.f32(y, count).slice();
  const expected = naiveConv(geometry, x, filter);
  let worst = 0;
  for (let i = 0; i < count; i++) {
    const sum =
      expected[i]! + (one.bias ? bias[i % outputs]! : 0) + (one.residual ? residual[i]! : 0);
    const difference = Math.abs(result[i]! - Math.min(Math.max(sum, clamp[0]), clamp[1]));
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
  }
  // Factors lie in [-0.5, 0.5): an output has size sqrt(9 C) / 12. Largest errors, in that size: 1e-5.
  const allowed = (m === 4 ? 1.2e-5 : 6e-6) * (Math.sqrt(9 * channels) / 12 + 0.3);
  harness.expectUntouchedAround(y, count * 4);
  return { result, deviation: worst / allowed };
}

const integer = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const pad = integer(-1, 3);
const cases: fc.Arbitrary<Case> = fc
  .record({
    m: fc.constantFrom<WinogradSize[]>(4, 2),
    batch: integer(1, 3),
    size: fc.tuple(integer(1, 14), integer(1, 14)),
    channels: integer(1, 24),
    outputs: integer(1, 24),
    padding: fc.tuple(pad, pad, pad, pad),
    bias: fc.boolean(),
    residual: fc.boolean(),
    clamp: fc.constantFrom<(readonly [number, number])[]>(
      [-Infinity, Infinity],
      [0, Infinity],
      [0, 0.1],
    ),
  })
  .filter((one) => geometryOf(one).outputSize.every((length) => length > 0));

describe.each<Build>(['fma', 'base'])('Winograd convolutions, build %s', (build) => {
  it.each(['fused', 'phases'] as const)(
    'agree with float64 for any maps, channels and padding, %s',
    (way) => {
      fc.assert(
        fc.property(cases, (one) => {
          expect(run(one, { build, way }).deviation).toBeLessThan(1);
        }),
        { numRuns: 80 },
      );
    },
  );

  it('take more channels than are summed at once', () => {
    expect(
      run(
        { m: 4, batch: 1, size: [6, 6], channels: 700, outputs: 9, padding: [1, 1, 1, 1] },
        { build },
      ).deviation,
    ).toBeLessThan(1);
  });

  it('are the same to the last bit for any number of threads, order of chunks, height of tiles and way', () => {
    for (const m of [4, 2] as const) {
      const one: Case = {
        m,
        batch: 2,
        size: [23, 21],
        channels: 40,
        outputs: 44,
        padding: [1, 1, 1, 1],
        bias: true,
      };
      const first = run(one, { build, threads: 1 }).result;
      for (const how of [
        { threads: 2 },
        { threads: 4, order: 'descending' },
        { threads: 7, tileRows: 4 },
        { tileRows: 6, way: 'fused' },
        { threads: 3, way: 'phases' },
      ] as const) {
        expect(run(one, { build, ...how }).result).toEqual(first);
      }
    }
  });
});

it('a filter can be read by any strides, backwards too', () => {
  const harness = new KernelHarness({ megabytes: 16 });
  const [outputs, channels] = [5, 6];
  const filter = random(3).floats(outputs * channels * 9);
  const turned = new Float32Array(filter.length);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < channels; c++) {
      for (let t = 0; t < 9; t++)
        turned[(o * channels + c) * 9 + t] = filter[(c * outputs + o) * 9 + 8 - t]!;
    }
  }
  const bytes = winogradFilterBytes(4, channels, outputs);
  const [direct, strided] = [harness.allocate(bytes), harness.allocate(bytes)];
  planWinogradFilter(harness, { m: 4, filter: harness.put(turned), to: direct, outputs, channels });
  planWinogradFilter(harness, {
    m: 4,
    filter: harness.put(filter) + 8 * 4,
    to: strided,
    outputs,
    channels,
    outputStride: 9,
    channelStride: outputs * 9,
    tapStride: -1,
  });
  expect(harness.f32(strided, bytes / 4)).toEqual(harness.f32(direct, bytes / 4));
});
