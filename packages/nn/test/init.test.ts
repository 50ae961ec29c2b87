import {
  createMeta,
  Generator,
  onBackend,
  ShapeError,
  type Shape,
  type Tensor,
} from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  Conv2d,
  defaultGenerator,
  initialize,
  kaimingNormal,
  kaimingUniform,
  Linear,
  manualSeed,
  normal,
  Sequential,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
} from '../src/index.ts';
import { useJs } from './networks.ts';

beforeAll(useJs);

async function statistics(x: Tensor): Promise<{ mean: number; std: number; largest: number }> {
  const values = Array.from(await x.data());
  x.dispose();
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, std: Math.sqrt(variance), largest: Math.max(...values.map(Math.abs)) };
}

/** 64 filters of 32 x 3 x 3: fan in 288, fan out 576. */
const shape: Shape = [64, 32, 3, 3];
const size = 64 * 288;

describe('initialisers have the spread they promise', () => {
  const cases: readonly (readonly [string, (generator: Generator) => Tensor, number, number])[] = [
    [
      'kaimingNormal',
      (generator) => kaimingNormal(shape, { generator }),
      Math.sqrt(2 / 288),
      Infinity,
    ],
    [
      'kaimingNormal by fan out, before tanh',
      (generator) => kaimingNormal(shape, { mode: 'fanOut', nonlinearity: 'tanh', generator }),
      5 / 3 / Math.sqrt(576),
      Infinity,
    ],
    [
      'kaimingUniform',
      (generator) => kaimingUniform(shape, { negativeSlope: Math.sqrt(5), generator }),
      1 / Math.sqrt(3 * 288),
      1 / Math.sqrt(288),
    ],
    [
      'xavierNormal',
      (generator) => xavierNormal(shape, { generator }),
      Math.sqrt(2 / 864),
      Infinity,
    ],
    [
      'xavierUniform',
      (generator) => xavierUniform(shape, { gain: 2, generator }),
      2 * Math.sqrt(2 / 864),
      2 * Math.sqrt(6 / 864),
    ],
    ['normal', (generator) => normal(shape, { std: 0.01, generator }), 0.01, Infinity],
    [
      'uniform',
      (generator) => uniform(shape, { min: -2, max: 2, generator }),
      4 / Math.sqrt(12),
      2,
    ],
    [
      // Of a normal cut at 2 standard deviations: variance 1 - 4 phi(2) / (2 Phi(2) - 1).
      'truncatedNormal',
      (generator) => truncatedNormal(shape, { std: 0.02, generator }),
      0.02 * Math.sqrt(1 - (4 * 0.05399096651318806) / 0.9544997361036416),
      0.04,
    ],
  ];

  test.each(cases)('%s', async (_, make, std, bound) => {
    const found = await statistics(make(new Generator(11)));
    // Five standard errors.
    expect(Math.abs(found.mean)).toBeLessThan((5 * std) / Math.sqrt(size));
    expect(Math.abs(found.std / std - 1)).toBeLessThan(5 / Math.sqrt(2 * size));
    expect(found.largest).toBeLessThanOrEqual(bound * (1 + 1e-6));
    expect(bound === Infinity || found.largest > 0.99 * bound).toBe(true);
  });
});

const make = (generator?: Generator): Linear =>
  new Linear({ inFeatures: 3, outFeatures: 2, generator });

describe('layers', () => {
  test('start as in PyTorch: uniform within 1 / sqrt(fan in), biases too', async () => {
    const generator = new Generator(5);
    using conv = new Conv2d({
      inChannels: 16,
      outChannels: 64,
      kernelSize: 5,
      groups: 4,
      generator,
    });
    using linear = new Linear({ inFeatures: 300, outFeatures: 200, generator });
    for (const [{ weight, bias }, fanIn] of [
      [conv, 100],
      [linear, 300],
    ] as const) {
      const bound = 1 / Math.sqrt(fanIn);
      const weights = await statistics(weight);
      expect(weights.largest).toBeLessThanOrEqual(bound);
      expect(weights.std / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
      const biases = await statistics(bias!);
      expect(biases.largest).toBeLessThanOrEqual(bound);
      expect(biases.largest).toBeGreaterThan(0.8 * bound);
    }
  });

  test('of equal seed are equal, of one generator different', async () => {
    const generator = new Generator(7);
    const [a, b, c] = [make(generator), make(generator), make(new Generator(7))];
    expect(await c.weight.data()).toEqual(await a.weight.data());
    expect(await b.weight.data()).not.toEqual(await a.weight.data());

    manualSeed(7);
    const [d, e] = [make(), make()];
    expect(await d.weight.data()).toEqual(await a.weight.data());
    expect(await e.weight.data()).toEqual(await b.weight.data());
    expect(defaultGenerator().state().draws).toBe(4);
    for (const layer of [a, b, c, d, e]) layer.dispose();
  });
});

test('fans need a matrix', () => {
  expect(() => kaimingNormal([3])).toThrow(ShapeError);
});

test('words that are none are refused', () => {
  expect(() => kaimingNormal([3, 3], { mode: 'fan_in' as 'fanIn' })).toThrow(
    /mode must be 'fanIn' or 'fanOut', got 'fan_in'/,
  );
  expect(() => kaimingUniform([3, 3], { nonlinearity: 'gelu' as 'relu' })).toThrow(
    /nonlinearity must be 'linear' or .*, got 'gelu'/,
  );
});

test('initialisers on meta draw nothing on the host', () => {
  const meta = createMeta();
  const weight = onBackend(meta, () => kaimingNormal([2 ** 20, 2 ** 20]));
  expect(weight.backend).toBe(meta);
  expect(meta.memory().bytes).toBe(0);
});

test('initialize gives the parameters that its rule picks new values', async () => {
  using net = new Sequential([
    new Conv2d({ inChannels: 1, outChannels: 2, kernelSize: 1 }),
    new Linear({ inFeatures: 2, outFeatures: 1 }),
  ]);
  const before = await net.stateDict().get('0.weight')!.data();
  initialize(net, ({ name, module, shape: own }) =>
    module instanceof Linear || name.endsWith('bias') ? uniform(own, { min: 3, max: 3 }) : null,
  );
  expect(await net.stateDict().get('0.weight')!.data()).toEqual(before);
  expect(await net.stateDict().get('0.bias')!.data()).toEqual(Float32Array.of(3, 3));
  expect(await net.stateDict().get('1.weight')!.data()).toEqual(Float32Array.of(3, 3));
});
