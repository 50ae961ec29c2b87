import { beforeAll, describe, expect, it } from 'vitest';

import { threefry2x32 } from '@convoke/backend-api';

import {
  createMeta,
  DataError,
  Generator,
  memory,
  permutation,
  scope,
  ShapeError,
  type Tensor,
} from '../src/index.ts';
import { useJs } from './lab.ts';

beforeAll(useJs);

const count = 20_000;

/** Mean, variance and the third and fourth standardised moments. */
async function moments(
  x: Tensor,
): Promise<{ mean: number; variance: number; skew: number; kurtosis: number }> {
  const data = [...(await x.data())];
  const average = (f: (v: number) => number): number =>
    data.reduce((sum, v) => sum + f(v), 0) / data.length;
  const mean = average((v) => v);
  const variance = average((v) => (v - mean) ** 2);
  return {
    mean,
    variance,
    skew: average((v) => (v - mean) ** 3) / variance ** 1.5,
    kurtosis: average((v) => (v - mean) ** 4) / variance ** 2,
  };
}

/** Six standard errors of a mean of `count` values: a right generator misses it once in 10^9 seeds. */
const within = (std: number): number => (6 * std) / Math.sqrt(count);

describe('distributions', () => {
  it('uniform has the moments of its interval and stays inside', async () => {
    const x = new Generator(1).uniform([count], { min: -1, max: 3 });
    const { mean, variance } = await moments(x);
    expect(Math.abs(mean - 1)).toBeLessThan(within(Math.sqrt(16 / 12)));
    expect(Math.abs(variance - 16 / 12)).toBeLessThan(within((16 / 12) * Math.sqrt(0.8)));
    const data = await x.data();
    expect(data.every((v) => v >= -1 && v < 3)).toBe(true);
  });

  it('uniform is flat', async () => {
    const bins = Array.from({ length: 16 }, () => 0);
    for (const v of await new Generator(2).uniform([count]).data()) bins[Math.floor(v * 16)]!++;
    const expected = count / 16;
    const chiSquare = bins.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    // 15 degrees of freedom: beyond 60 once in 10^6.
    expect(chiSquare).toBeLessThan(60);
  });

  it('uniform never reaches its upper end by rounding', async () => {
    // 16.7 million values lie between 1000 and 1001 only on paper: float32 has 16384.
    const data = await new Generator(3).uniform([count], { min: 1000, max: 1001 }).data();
    expect(Math.max(...data)).toBeLessThan(1001);
    expect(Math.min(...data)).toBeGreaterThanOrEqual(1000);
    const none = await new Generator(3).uniform([4], { min: 2, max: 2 }).data();
    expect([...none]).toEqual([2, 2, 2, 2]);
  });

  it('normal has the moments of a normal distribution', async () => {
    const { mean, variance, skew, kurtosis } = await moments(
      new Generator(4).normal([count], { mean: 5, std: 2 }),
    );
    expect(Math.abs(mean - 5)).toBeLessThan(within(2));
    expect(Math.abs(variance - 4)).toBeLessThan(within(4 * Math.SQRT2));
    expect(Math.abs(skew)).toBeLessThan(within(Math.sqrt(6)));
    expect(Math.abs(kurtosis - 3)).toBeLessThan(within(Math.sqrt(24)));
  });

  it('truncated normal keeps its bounds and has the moments the cut leaves', async () => {
    const x = new Generator(5).truncatedNormal([count], { mean: 1, std: 0.5 });
    const data = await x.data();
    expect(data.every((v) => v >= 0 && v <= 2)).toBe(true);
    const { mean, variance } = await moments(x);
    // A standard normal cut at +-2 has variance 1 - 4 phi(2) / (2 Phi(2) - 1).
    const density = Math.exp(-2) / Math.sqrt(2 * Math.PI);
    const left = 1 - (4 * density) / 0.9544997361036416;
    expect(Math.abs(mean - 1)).toBeLessThan(within(0.5));
    expect(Math.abs(variance - 0.25 * left)).toBeLessThan(within(0.25));
    // Not piled up at the bounds, as clamping would.
    expect(data.filter((v) => v === 0 || v === 2).length).toBeLessThan(5);
  });

  it('truncated normal takes bounds of one side', async () => {
    const data = await new Generator(6).truncatedNormal([count], { min: 0.5, max: 3 }).data();
    expect(data.every((v) => v >= 0.5 && v <= 3)).toBe(true);
    const below = data.filter((v) => v < 1).length / count;
    // (Phi(1) - Phi(0.5)) / (Phi(3) - Phi(0.5)) from tables of the normal distribution.
    const share = (0.8413447 - 0.6914625) / (0.9986501 - 0.6914625);
    expect(Math.abs(below - share)).toBeLessThan(within(0.5));
  });

  it('bernoulli gives 1 with its probability', async () => {
    const data = await new Generator(7).bernoulli([count], 0.3).data();
    const share = data.filter((v) => v === 1).length / count;
    expect(Math.abs(share - 0.3)).toBeLessThan(within(0.46));
    expect(new Set(data)).toEqual(new Set([0, 1]));
    expect([...(await new Generator(7).bernoulli([50], 0).data())]).not.toContain(1);
    expect([...(await new Generator(7).bernoulli([50], 1).data())]).not.toContain(0);
  });

  it('refuse what is no distribution', () => {
    const generator = new Generator(1);
    expect(() => generator.uniform([1], { min: 1, max: 0 })).toThrow(DataError);
    expect(() => generator.uniform([1], { max: NaN })).toThrow(/^uniform: /);
    expect(() => generator.normal([1], { std: -1 })).toThrow(/^normal: .*-1/);
    expect(() => generator.truncatedNormal([1], { min: 1, max: 1 })).toThrow(DataError);
    expect(() => generator.bernoulli([1], 1.5)).toThrow(
      /^bernoulli: p must lie in \[0, 1\], got 1.5/,
    );
    expect(() => generator.uniform([-1])).toThrow(ShapeError);
    expect(() => new Generator(-1)).toThrow(DataError);
    expect(() => new Generator(0.5)).toThrow(/seed/);
  });

  it('leave nothing behind and go to the backend they are told', () => {
    const before = memory().handles;
    const generator = new Generator(1);
    const meta = createMeta();
    const made = [
      generator.uniform([2], { min: -1 }),
      generator.normal([2]),
      generator.truncatedNormal([2]),
      generator.bernoulli([2], 0.5),
    ];
    expect(memory().handles).toBe(before + 4);
    for (const tensor of made) tensor.dispose();
    generator.normal([2], { backend: meta }).dispose();
    expect([memory().handles, meta.memory().handles]).toEqual([before, 0]);
  });
});

const draw = (generator: Generator): Promise<unknown[]> => {
  const tensors = [generator.uniform([5]), generator.normal([3, 2]), generator.bernoulli([4], 0.5)];
  return Promise.all(tensors.map((tensor) => tensor.data()));
};

describe('determinism', () => {
  it('equal seeds give equal numbers; other seeds, streams and draws others', async () => {
    expect(await draw(new Generator(1))).toEqual(await draw(new Generator(1)));
    expect(await draw(new Generator(1))).not.toEqual(await draw(new Generator(2)));
    expect(await draw(new Generator(1, 0))).not.toEqual(await draw(new Generator(1, 1)));
    const generator = new Generator(1);
    expect(await draw(generator)).not.toEqual(await draw(generator));
  });

  it('a restored generator goes on where it was', async () => {
    const generator = new Generator(3, 7);
    await draw(generator);
    const state = JSON.parse(JSON.stringify(generator.state())) as ReturnType<Generator['state']>;
    expect(await draw(Generator.restore(state))).toEqual(await draw(generator));
    expect(() => Generator.restore({ seed: 1, stream: 0, draws: -1 })).toThrow(DataError);
  });

  it('uniform numbers are Threefry words shifted right by 8', async () => {
    const [key0, key1] = threefry2x32(9, 2, 0, 1);
    const words = [0, 1].flatMap((block) => threefry2x32(key0, key1, block, 0));
    const data = await new Generator(9, 2).uniform([4]).data();
    expect([...data]).toEqual(words.map((word) => (word >>> 8) / 2 ** 24));
  });

  it('does not depend on scopes', async () => {
    const kept = scope(() => new Generator(1).normal([3]));
    expect(await kept.data()).toEqual(await new Generator(1).normal([3]).data());
  });
});

describe('permutation', () => {
  it('is an order of all numbers, a pure function of its key', () => {
    for (const length of [0, 1, 2, 100]) {
      const order = permutation(length, 5, 1, 2);
      expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
      expect(order).toEqual(permutation(length, 5, 1, 2));
    }
    expect(permutation(100, 5, 1, 2)).not.toEqual(permutation(100, 5, 1, 3));
    expect(() => permutation(-1, 0)).toThrow(DataError);
  });

  it('gives every order about as often', () => {
    const seen = new Map<string, number>();
    for (let index = 0; index < 6000; index++) {
      const order = permutation(3, 11, 0, index).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    // Standard deviation 29 around 1000.
    for (const times of seen.values()) expect(Math.abs(times - 1000)).toBeLessThan(180);
  });

  it('of a generator moves on with each draw', () => {
    const generator = new Generator(1);
    const [first, second] = [generator.permutation(50), generator.permutation(50)];
    expect(first).not.toEqual(second);
    expect(generator.state().draws).toBe(2);
  });
});
