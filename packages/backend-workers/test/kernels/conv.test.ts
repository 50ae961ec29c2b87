import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  chooseConv,
  filterForm,
  filterFormBytes,
  planConv2d,
  planFilterForm,
  type ConvAlgorithm,
  type ConvGeometry,
} from '../../src/kernels/conv.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { naiveConv, output } from './naive-conv.ts';
import { random } from './random.ts';

type Pair = readonly [number, number];

interface Case {
  readonly geometry: ConvGeometry;
  readonly bias?: boolean;
  /** `in place`: the residual is where the result goes. */
  readonly residual?: boolean | 'in place';
  readonly clamp?: Pair;
}

interface Harnessed {
  readonly threads?: number;
  readonly order?: KernelHarness['order'];
  readonly tileRows?: 4 | 6;
  readonly algorithm?: ConvAlgorithm;
}

interface Outcome {
  readonly result: Float32Array;
  /** The largest error against float64 sums, in units of what is allowed. */
  readonly deviation: number;
}

/** Runs a case, and throws where anything was written outside the result. */
function run(build: Build, one: Case, how: Harnessed = {}): Outcome {
  const { geometry, clamp = [-Infinity, Infinity] } = one;
  const { batch, size, channels, outputs, kernelSize, groups, outputSize } = geometry;
  const harness = new KernelHarness({ build, threads: how.threads ?? 2, megabytes: 48 });
  harness.order = how.order ?? 'ascending';
  if (how.tileRows) Object.assign(harness, { tileRows: how.tileRows });
  const r = random(channels * 31 + outputs * 7 + size[0]);
  const inner = channels / groups;
  const x = r.floats(batch * size[0] * size[1] * channels);
  const filter = r.floats(outputs * inner * kernelSize[0] * kernelSize[1]);
  const count = batch * outputSize[0] * outputSize[1] * outputs;
  const bias = r.floats(outputs);
  const residual = r.floats(count);
  const chosen = chooseConv(geometry, 'strict');
  const algorithm = how.algorithm ?? (chosen === 'product' ? chosen : 'indirect');
  const form = filterForm(algorithm);
  const bytes = filterFormBytes(geometry, form);
  const to = harness.allocate(bytes);
  planFilterForm(harness, { geometry, form, filter: harness.put(filter), to });
  harness.expectUntouchedAround(to, bytes);
  const y = harness.allocate(count * 4);
  harness.f32(y, count).fill(NaN);
  const inPlace = one.residual === 'in place';
  if (inPlace) harness.f32(y, count).set(residual);
  planConv2d(harness, {
    geometry,
    algorithm,
    x: harness.put(x),
    filter: to,
    y,
    bias: one.bias ? harness.put(bias) : 0,
    residual: inPlace ? y : one.residual ? harness.put(residual) : 0,
    clamp,
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
  // Factors lie in [-0.5, 0.5): a sum of k products has size sqrt(k) / 12.
  const k = inner * kernelSize[0] * kernelSize[1];
  const allowed = 2e-7 * (3 + Math.sqrt(k));
  harness.expectUntouchedAround(y, count * 4);
  return { result, deviation: worst / allowed };
}

const integer = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const pair = (min: number, max: number): fc.Arbitrary<[number, number]> =>
  fc.tuple(integer(min, max), integer(min, max));

const geometries: fc.Arbitrary<ConvGeometry> = fc
  .record({
    batch: integer(1, 3),
    size: pair(1, 9),
    perGroup: pair(1, 10),
    groups: fc.constantFrom(1, 1, 1, 2, 3),
    kernelSize: pair(1, 5),
    stride: pair(1, 3),
    padding: fc.tuple(integer(-2, 4), integer(-2, 4), integer(-2, 4), integer(-2, 4)),
    dilation: pair(1, 3),
    lhsDilation: fc.oneof(fc.constant<[number, number]>([1, 1]), pair(1, 3)),
  })
  .map(({ perGroup, ...rest }) =>
    output({ ...rest, channels: perGroup[0] * rest.groups, outputs: perGroup[1] * rest.groups }),
  )
  .filter(({ outputSize }) => outputSize[0] > 0 && outputSize[1] > 0);

const plain = {
  batch: 1,
  kernelSize: [3, 3],
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  dilation: [1, 1],
  lhsDilation: [1, 1],
  groups: 1,
} as const;

describe.each<Build>(['fma', 'base'])('convolutions, build %s', (build) => {
  it('agree with float64 for any geometry, bias, residual and clamp', () => {
    const one = fc.record({
      geometry: geometries,
      bias: fc.boolean(),
      residual: fc.constantFrom(false, true, 'in place' as const),
      clamp: fc.constantFrom<Pair[]>([-Infinity, Infinity], [0, Infinity], [0, 0.1]),
    });
    fc.assert(
      fc.property(one, (value) => {
        expect(run(build, value).deviation).toBeLessThan(1);
      }),
      { numRuns: 200 },
    );
  });

  it('of few channels agree with float64, whichever way strips of pixels end', () => {
    const few = fc
      .record({
        batch: integer(1, 3),
        size: pair(6, 19),
        channels: integer(1, 9),
        outputs: integer(1, 20),
        kernelSize: pair(2, 5),
        stride: pair(1, 2),
        padding: fc.tuple(integer(-1, 3), integer(-1, 3), integer(-1, 3), integer(-1, 3)),
        dilation: fc.tuple(integer(1, 2), fc.constant(1)),
      })
      .map((rest) => output({ ...plain, ...rest }))
      .filter(({ outputSize }) => outputSize[0] > 0 && outputSize[1] >= 6);
    const one = fc.record({
      geometry: few,
      bias: fc.boolean(),
      residual: fc.constantFrom(false, true, 'in place' as const),
      clamp: fc.constantFrom<Pair[]>([-Infinity, Infinity], [-0.1, 0.1]),
    });
    fc.assert(
      fc.property(one, (value) => {
        expect(run(build, value).deviation).toBeLessThan(1);
      }),
      { numRuns: 150 },
    );
  });

  it.each<[string, Partial<ConvGeometry> & Pick<ConvGeometry, 'size' | 'channels' | 'outputs'>]>([
    [
      '7x7 stride 2 of three channels',
      {
        size: [30, 30],
        channels: 3,
        outputs: 20,
        kernelSize: [7, 7],
        stride: [2, 2],
        padding: [3, 3, 3, 3],
      },
    ],
    [
      '5x5 of one channel',
      {
        batch: 3,
        size: [28, 28],
        channels: 1,
        outputs: 6,
        kernelSize: [5, 5],
        padding: [2, 2, 2, 2],
      },
    ],
    [
      'an 11x11 kernel on a 1x1 map',
      { size: [1, 1], channels: 5, outputs: 9, kernelSize: [11, 11], padding: [5, 5, 5, 5] },
    ],
    [
      '1x1 stride 2',
      {
        size: [9, 9],
        channels: 20,
        outputs: 24,
        kernelSize: [1, 1],
        stride: [2, 2],
        padding: [0, 0, 0, 0],
      },
    ],
    [
      '1x1 of a batch',
      {
        batch: 2,
        size: [5, 7],
        channels: 13,
        outputs: 11,
        kernelSize: [1, 1],
        padding: [0, 0, 0, 0],
      },
    ],
    ['many channels, summed in blocks', { size: [7, 7], channels: 150, outputs: 130 }],
    ['32 groups of 4', { size: [8, 8], channels: 128, outputs: 128, groups: 32 }],
    [
      'a transposed convolution by 2',
      {
        size: [6, 5],
        channels: 40,
        outputs: 20,
        kernelSize: [4, 4],
        padding: [2, 2, 2, 2],
        lhsDilation: [2, 2],
      },
    ],
    [
      'padding of a whole kernel and more',
      { size: [2, 2], channels: 40, outputs: 3, padding: [5, 4, 3, 6] },
    ],
    ['cropping', { size: [9, 9], channels: 3, outputs: 3, padding: [-2, -1, -3, -1] }],
    [
      'thousands of taps',
      {
        size: [100, 90],
        channels: 1,
        outputs: 2,
        kernelSize: [97, 88],
        padding: [0, 0, 0, 0],
        dilation: [1, 1],
      },
    ],
    [
      'thousands of taps, two channels a group',
      {
        size: [101, 94],
        channels: 4,
        outputs: 2,
        groups: 2,
        kernelSize: [99, 92],
        padding: [0, 0, 0, 0],
      },
    ],
  ])('take %s', (_, geometry) => {
    expect(
      run(build, {
        geometry: output({ ...plain, ...geometry }),
        bias: true,
        residual: true,
        clamp: [-2, 2],
      }).deviation,
    ).toBeLessThan(1);
  });

  it('are the same to the last bit for any number of threads, order of chunks and height of tiles', () => {
    for (const geometry of [
      output({ ...plain, batch: 2, size: [20, 21], channels: 3, outputs: 40 }),
      output({ ...plain, size: [7, 7], channels: 70, outputs: 140, stride: [2, 2] }),
      output({ ...plain, size: [14, 14], channels: 72, outputs: 72, dilation: [2, 2] }),
    ]) {
      const first = run(build, { geometry }, { threads: 1, algorithm: 'indirect' }).result;
      for (const how of [
        { threads: 2 },
        { threads: 4, order: 'descending' },
        { threads: 7, tileRows: 4 },
        { tileRows: 6 },
      ] as const) {
        expect(run(build, { geometry }, { ...how, algorithm: 'indirect' }).result).toEqual(first);
      }
    }
  });
});

describe('the choice of an algorithm', () => {
  const map = (channels: number, outputs: number, length: number): ConvGeometry =>
    output({ ...plain, size: [length, length], channels, outputs });

  it.each<[string, ConvGeometry, ConvAlgorithm, ConvAlgorithm]>([
    ['3x3 of enough channels', map(64, 64, 56), 'winograd4', 'winograd2'],
    ['3x3 whose F4 filter is too large to keep', map(512, 512, 7), 'winograd2', 'winograd2'],
    ['3x3 whose F2 filter is too large too', map(1024, 1024, 14), 'indirect', 'indirect'],
    ['3x3 of few channels', map(8, 64, 56), 'indirect', 'indirect'],
    ['3x3 to few outputs', map(64, 8, 56), 'indirect', 'indirect'],
    ['3x3 on small maps', map(64, 64, 6), 'indirect', 'indirect'],
    ['3x3 stride 2', { ...map(64, 64, 56), stride: [2, 2] }, 'indirect', 'indirect'],
    ['3x3 dilated', { ...map(64, 64, 56), dilation: [2, 1] }, 'indirect', 'indirect'],
    ['3x3 of a dilated input', { ...map(64, 64, 56), lhsDilation: [1, 2] }, 'indirect', 'indirect'],
    ['3x3 in groups', { ...map(64, 64, 56), groups: 2 }, 'indirect', 'indirect'],
    [
      '1x1',
      { ...map(64, 64, 56), kernelSize: [1, 1], padding: [0, 0, 0, 0] },
      'product',
      'product',
    ],
    ['1x1 with padding', { ...map(64, 64, 56), kernelSize: [1, 1] }, 'indirect', 'indirect'],
  ])('%s', (_, geometry, fast, strict) => {
    expect(chooseConv(geometry, 'fast')).toBe(fast);
    expect(chooseConv(geometry, 'strict')).toBe(strict);
  });

  it('changes the result by no more than 1e-5 of its size', () => {
    const geometry = output({ ...plain, batch: 2, size: [13, 11], channels: 48, outputs: 36 });
    const results = (['indirect', 'winograd2', 'winograd4'] as const).map((algorithm) => {
      const harness = new KernelHarness({ megabytes: 16 });
      const r = random(1);
      const x = harness.put(r.floats(2 * 13 * 11 * 48));
      const filter = harness.put(r.floats(36 * 48 * 9));
      const form = filterForm(algorithm);
      const to = harness.allocate(filterFormBytes(geometry, form));
      planFilterForm(harness, { geometry, form, filter, to });
      const y = harness.allocate(2 * 13 * 11 * 36 * 4);
      planConv2d(harness, { geometry, algorithm, x, filter: to, y });
      return harness.f32(y, 2 * 13 * 11 * 36);
    });
    const largest = results[0]!.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const other of results.slice(1)) {
      const worst = other.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - results[0]![i]!)),
        0,
      );
      expect(worst).toBeGreaterThan(0);
      expect(worst / largest).toBeLessThan(1e-5);
    }
  });
});
