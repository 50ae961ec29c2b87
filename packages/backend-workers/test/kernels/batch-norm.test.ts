import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  planBatchNormEval,
  planBatchNormTrain,
  planBatchNormTrainGradient,
  type ChannelView,
} from '../../src/kernels/batch-norm.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectClose, expectSame } from './close.ts';
import { random } from './random.ts';

const epsilon = 1e-5;

/** Where the elements of a channel stand. */
function placesOf({ outer, channels, inner }: ChannelView, channel: number): number[] {
  return Array.from({ length: outer * inner }, (_, i) => {
    return (Math.floor(i / inner) * channels + channel) * inner + (i % inner);
  });
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

interface Statistics {
  readonly mean: number[];
  readonly variance: number[];
}

function statisticsOf(view: ChannelView, x: Float32Array): Statistics {
  const result: Statistics = { mean: [], variance: [] };
  for (let c = 0; c < view.channels; c++) {
    const values = placesOf(view, c).map((at) => x[at]!);
    const centre = average(values);
    result.mean.push(centre);
    result.variance.push(average(values.map((value) => (value - centre) ** 2)));
  }
  return result;
}

function normalize(
  view: ChannelView,
  x: Float32Array,
  parameters: { readonly weight: Float32Array; readonly bias: Float32Array },
  statistics: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
): number[] {
  const y: number[] = [];
  for (let c = 0; c < view.channels; c++) {
    const scale = parameters.weight[c]! / Math.sqrt(statistics.variance[c]! + epsilon);
    for (const at of placesOf(view, c)) {
      y[at] = (x[at]! - statistics.mean[c]!) * scale + parameters.bias[c]!;
    }
  }
  return y;
}

function gradientsOf(
  view: ChannelView,
  g: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  statistics: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
): { x: number[]; weight: number[]; bias: number[] } {
  const result: { x: number[]; weight: number[]; bias: number[] } = { x: [], weight: [], bias: [] };
  for (let c = 0; c < view.channels; c++) {
    const places = placesOf(view, c);
    const inverse = 1 / Math.sqrt(statistics.variance[c]! + epsilon);
    const xHat = places.map((at) => (x[at]! - statistics.mean[c]!) * inverse);
    const centre = average(places.map((at) => g[at]!));
    const slope = average(places.map((at, i) => g[at]! * xHat[i]!));
    result.bias.push(centre * places.length);
    result.weight.push(slope * places.length);
    for (const [i, at] of places.entries()) {
      result.x[at] = (g[at]! - centre - xHat[i]! * slope) * weight[c]! * inverse;
    }
  }
  return result;
}

const views: fc.Arbitrary<ChannelView> = fc.oneof(
  fc.record({
    outer: fc.integer({ min: 2, max: 400 }),
    channels: fc.integer({ min: 1, max: 90 }),
    inner: fc.constant(1),
  }),
  fc.record({
    outer: fc.integer({ min: 1, max: 9 }),
    channels: fc.integer({ min: 1, max: 20 }),
    inner: fc.integer({ min: 2, max: 60 }),
  }),
);

/** Large enough for several blocks of sums and several chunks. */
const networkViews: readonly ChannelView[] = [
  { outer: 3000, channels: 16, inner: 1 },
  { outer: 300, channels: 150, inner: 1 },
  { outer: 30, channels: 5, inner: 500 },
];

describe.each(['fma', 'base'] as const)('batch-norm kernels, build %s', (build) => {
  interface Case {
    readonly view: ChannelView;
    readonly offset?: number;
    readonly order?: 'ascending' | 'descending';
    readonly threads?: number;
  }

  function run({ view, offset = 0.5, order = 'ascending', threads = 2 }: Case) {
    const { channels } = view;
    const size = view.outer * channels * view.inner;
    const harness = new KernelHarness({ build, threads });
    harness.order = order;
    const source = random(size + channels);
    const data = source.floats(size).map((value) => value + offset);
    const parameters = { weight: source.floats(channels), bias: source.floats(channels) };
    const gradients = source.floats(size);
    const x = harness.put(data);
    const [weight, bias] = [harness.put(parameters.weight), harness.put(parameters.bias)];
    const [y, mean, variance] = [size, channels, channels].map((n) => harness.allocate(n * 4));
    planBatchNormTrain(harness, {
      ...view,
      x,
      weight,
      bias,
      y: y!,
      mean: mean!,
      variance: variance!,
      epsilon,
    });
    const gradient = harness.put(gradients);
    const results = [size, channels, channels].map((n) => harness.allocate(n * 4));
    const [xGradient, weightGradient, biasGradient] = results as [number, number, number];
    planBatchNormTrainGradient(harness, {
      ...view,
      gradient,
      x,
      weight,
      mean: mean!,
      variance: variance!,
      epsilon,
      xGradient,
      weightGradient,
      biasGradient,
    });
    harness.expectUntouchedAround(y!, size * 4);
    harness.expectUntouchedAround(xGradient, size * 4);
    for (const block of [mean!, variance!, weightGradient, biasGradient]) {
      harness.expectUntouchedAround(block, channels * 4);
    }
    return {
      data,
      parameters,
      gradients,
      y: harness.f32(y!, size),
      mean: harness.f32(mean!, channels),
      variance: harness.f32(variance!, channels),
      xGradient: harness.f32(xGradient, size),
      weightGradient: harness.f32(weightGradient, channels),
      biasGradient: harness.f32(biasGradient, channels),
    };
  }

  function expectDefinition(one: Case): void {
    const { view } = one;
    const result = run(one);
    const statistics = statisticsOf(view, result.data);
    expectClose(result.mean, statistics.mean, 1e-7);
    expectClose(result.variance, statistics.variance, 2e-7);
    expectClose(result.y, normalize(view, result.data, result.parameters, statistics), 1e-6);
    const { weight } = result.parameters;
    const expected = gradientsOf(view, result.gradients, result.data, weight, result);
    expectClose(result.weightGradient, expected.weight, 1e-6, 1);
    expectClose(result.biasGradient, expected.bias, 1e-6, 1);
    // Of two elements all but nothing of the gradient is left.
    const slopes = [...weight].map((w, c) => w / Math.sqrt(statistics.variance[c]! + epsilon));
    expectClose(result.xGradient, expected.x, 2e-6, Math.max(...slopes.map(Math.abs)));
  }

  test('training statistics, results and gradients are those of the definition', () => {
    expect.hasAssertions();
    const cases = fc.record({
      view: views,
      order: fc.constantFrom('ascending' as const, 'descending' as const),
      threads: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(fc.property(cases, expectDefinition), { numRuns: 30 });
  });

  test.each(networkViews)('large tensors: $outer x $channels x $inner', (view) => {
    expect.hasAssertions();
    expectDefinition({ view, order: 'descending', threads: 4 });
  });

  test.each(networkViews)(
    'threads and order of chunks change no bit: $channels channels',
    (view) => {
      expect.hasAssertions();
      const one = run({ view, threads: 1 });
      const other = run({ view, threads: 3, order: 'descending' });
      const outputs = [
        'y',
        'mean',
        'variance',
        'xGradient',
        'weightGradient',
        'biasGradient',
      ] as const;
      for (const output of outputs) expectSame(other[output], one[output]);
    },
  );

  test.each(networkViews)('a mean far from 0 costs no digits: $channels channels', (view) => {
    expect.hasAssertions();
    const result = run({ view, offset: 3000 });
    const statistics = statisticsOf(view, result.data);
    expectClose(result.variance, statistics.variance, 1e-6);
    expectClose(result.y, normalize(view, result.data, result.parameters, statistics), 2e-6);
  });

  test('a constant channel has variance 0 and gives its bias', () => {
    const harness = new KernelHarness({ build });
    const x = harness.put(new Float32Array(10).fill(1234.5));
    const [weight, bias] = [harness.put(new Float32Array([3])), harness.put(new Float32Array([7]))];
    const [y, mean, variance] = [40, 4, 4].map((bytes) => harness.allocate(bytes));
    planBatchNormTrain(harness, {
      outer: 10,
      channels: 1,
      inner: 1,
      x,
      weight,
      bias,
      epsilon,
      y: y!,
      mean: mean!,
      variance: variance!,
    });
    expect(harness.f32(variance!, 1)[0]).toBe(0);
    expect([...harness.f32(y!, 10)]).toEqual(Array.from({ length: 10 }, () => 7));
  });

  test('evaluation normalizes by given statistics, in place and within bounds', () => {
    expect.hasAssertions();
    fc.assert(
      fc.property(views, fc.boolean(), (view, inPlace) => {
        const size = view.outer * view.channels * view.inner;
        const harness = new KernelHarness({ build, threads: 3 });
        harness.order = 'descending';
        const source = random(size);
        const data = source.floats(size);
        const [weight, bias, mean] = Array.from({ length: 3 }, () => source.floats(view.channels));
        const variance = source.floats(view.channels).map((value) => value + 0.6);
        const x = harness.put(data);
        const y = inPlace ? x : harness.allocate(size * 4);
        planBatchNormEval(harness, {
          ...view,
          x,
          y,
          epsilon,
          clamp: [0, 0.5],
          weight: harness.put(weight!),
          bias: harness.put(bias!),
          mean: harness.put(mean!),
          variance: harness.put(variance),
        });
        const parameters = { weight: weight!, bias: bias! };
        const whole = normalize(view, data, parameters, { mean: mean!, variance });
        const expected = whole.map((value) => Math.min(Math.max(value, 0), 0.5));
        expectClose(harness.f32(y, size), expected, 1e-6, 1);
        harness.expectUntouchedAround(y, size * 4);
      }),
      { numRuns: 30 },
    );
  });
});
