import { Generator, localResponseNorm, ShapeError, type Tensor } from '@convoke/core';
import { beforeAll, expect, test } from 'vitest';

import { GroupNorm, LayerNorm, LocalResponseNorm } from '../../src/index.ts';
import { useJs } from '../networks.ts';

beforeAll(useJs);

const generator = new Generator(4);

/** Mean 0 and variance 1 over each list of places, then a factor and a term by place. */
async function expectNormalised(
  y: Tensor,
  x: Tensor,
  groups: readonly (readonly number[])[],
  weight: (place: number) => number,
  bias: (place: number) => number,
): Promise<void> {
  const [before, after] = await Promise.all([x.data(), y.data()]);
  for (const places of groups) {
    const values = places.map((place) => before[place]!);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    for (const place of places) {
      const standard = (before[place]! - mean) / Math.sqrt(variance + 1e-5);
      expect(after[place]).toBeCloseTo(standard * weight(place) + bias(place), 4);
    }
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test('LayerNorm normalises each sample over its last axes', async () => {
  using layer = new LayerNorm({ normalizedShape: [3, 4] });
  layer.weight!.assign(generator.normal([3, 4]));
  layer.bias!.assign(generator.normal([3, 4]));
  const [weight, bias] = await Promise.all([layer.weight!.data(), layer.bias!.data()]);
  using x = generator.normal([2, 3, 4]);
  using y = layer.forward(x);
  expect(y.shape).toEqual(x.shape);
  const samples = range(2).map((n) => range(12).map((i) => n * 12 + i));
  await expectNormalised(
    y,
    x,
    samples,
    (place) => weight[place % 12]!,
    (place) => bias[place % 12]!,
  );
});

test('LayerNorm with channelsFirst normalises each pixel over its channels', async () => {
  using layer = new LayerNorm({ normalizedShape: 3, channelsFirst: true });
  layer.weight!.assign(generator.normal([3]));
  layer.bias!.assign(generator.normal([3]));
  const [weight, bias] = await Promise.all([layer.weight!.data(), layer.bias!.data()]);
  using x = generator.normal([2, 3, 2, 2]);
  using y = layer.forward(x);
  expect(y.shape).toEqual(x.shape);
  const pixels = range(8).map((p) => range(3).map((c) => ((p >> 2) * 3 + c) * 4 + (p & 3)));
  await expectNormalised(
    y,
    x,
    pixels,
    (place) => weight[(place >> 2) % 3]!,
    (place) => bias[(place >> 2) % 3]!,
  );
});

const names = (layer: LayerNorm): string[] => [...layer.stateDict().keys()];

test('LayerNorm learns what it is asked to', () => {
  expect(names(new LayerNorm({ normalizedShape: 2 }))).toEqual(['weight', 'bias']);
  expect(names(new LayerNorm({ normalizedShape: 2, bias: false }))).toEqual(['weight']);
  expect(names(new LayerNorm({ normalizedShape: 2, affine: false }))).toEqual([]);
});

test('GroupNorm normalises groups of channels of each sample', async () => {
  using layer = new GroupNorm({ groups: 2, channels: 4 });
  layer.weight!.assign(generator.normal([4]));
  layer.bias!.assign(generator.normal([4]));
  const [weight, bias] = await Promise.all([layer.weight!.data(), layer.bias!.data()]);
  using x = generator.normal([2, 4, 3]);
  using y = layer.forward(x);
  expect(y.shape).toEqual(x.shape);
  const groups = range(4).map((g) => range(6).map((i) => g * 6 + i));
  await expectNormalised(
    y,
    x,
    groups,
    (place) => weight[Math.floor(place / 3) % 4]!,
    (place) => bias[Math.floor(place / 3) % 4]!,
  );
  expect(() => new GroupNorm({ groups: 3, channels: 4 })).toThrow(ShapeError);
});

test('LocalResponseNorm passes its options on', async () => {
  const options = { size: 3, alpha: 2, beta: 0.5, k: 2 };
  using layer = new LocalResponseNorm(options);
  using x = generator.normal([1, 5, 2, 2]);
  using y = layer.forward(x);
  expect(y.shape).toEqual(x.shape);
  using expected = localResponseNorm(x, options);
  expect(await y.data()).toEqual(await expected.data());
});
