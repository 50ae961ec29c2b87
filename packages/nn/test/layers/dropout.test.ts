import { Generator, memory, noGrad, ones, ShapeError } from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { Dropout, manualSeed, StochasticDepth } from '../../src/index.ts';
import { useJs } from '../networks.ts';

beforeAll(useJs);

const share = (values: ArrayLike<number>): number =>
  Array.from(values).filter((value) => value === 0).length / values.length;

const draw = async (layer: Dropout): Promise<ArrayLike<number>> => {
  using x = ones([64]);
  using y = layer.forward(x);
  return y.data();
};

describe('Dropout', () => {
  test('drops a share p and scales the rest so that the mean stays', async () => {
    using layer = new Dropout({ p: 0.25, generator: new Generator(1) });
    using x = ones([100, 100]);
    using y = layer.forward(x);
    const values = await y.data();
    // Five standard errors of a share over 10,000.
    expect(Math.abs(share(values) - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / 10_000));
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / 0.75)]));
  });

  test('passes everything at evaluation, and where p is 0', async () => {
    using x = ones([50]);
    using evaluation = new Dropout().eval().forward(x);
    using none = new Dropout({ p: 0 }).forward(x);
    using all = new Dropout({ p: 1 }).forward(x);
    expect(share(await evaluation.data())).toBe(0);
    expect(share(await none.data())).toBe(0);
    expect(share(await all.data())).toBe(1);
    expect(evaluation).not.toBe(x);
  });

  test('draws anew each time, by its seed', async () => {
    const [a, b] = [0, 1].map(() => new Dropout({ generator: new Generator(9) })) as [
      Dropout,
      Dropout,
    ];
    const first = await draw(a);
    expect(await draw(b)).toEqual(first);
    expect(await draw(a)).not.toEqual(first);

    manualSeed(2);
    const [c, d] = [new Dropout(), new Dropout()];
    manualSeed(2);
    const e = new Dropout();
    const third = await draw(c);
    expect(await draw(d)).not.toEqual(third);
    expect(await draw(e)).toEqual(third);
  });

  test('refuses what is no probability', () => {
    expect(() => new Dropout({ p: 1.5 })).toThrow(ShapeError);
    expect(() => new StochasticDepth({ p: Number.NaN })).toThrow(ShapeError);
  });
});

describe('StochasticDepth', () => {
  test('drops whole samples in mode row', async () => {
    using layer = new StochasticDepth({ p: 0.4, generator: new Generator(2) });
    using x = ones([400, 3, 2]);
    using y = layer.forward(x);
    const values = Array.from(await y.data());
    const samples = Array.from({ length: 400 }, (_, n) => values.slice(6 * n, 6 * n + 6));
    expect(samples.every((sample) => new Set(sample).size === 1)).toBe(true);
    const dropped = samples.filter(([first]) => first === 0).length / 400;
    expect(Math.abs(dropped - 0.4)).toBeLessThan(5 * Math.sqrt((0.4 * 0.6) / 400));
    expect(Math.max(...values)).toBeCloseTo(1 / 0.6, 6);
  });

  test('drops the whole batch in mode batch', async () => {
    using layer = new StochasticDepth({ p: 0.5, mode: 'batch', generator: new Generator(3) });
    using x = ones([8, 2]);
    const seen = new Set<number>();
    for (let i = 0; i < 20; i++) {
      using y = layer.forward(x);
      const values = new Set(await y.data());
      expect(values.size).toBe(1);
      seen.add([...values][0]!);
    }
    expect(seen).toEqual(new Set([0, 2]));
  });

  test('refuses a mode that is none', () => {
    expect(() => new StochasticDepth({ p: 0.5, mode: 'column' as 'row' })).toThrow(
      /StochasticDepth: mode must be 'row' or 'batch', got 'column'/,
    );
  });

  test('passes everything at evaluation, nothing where p is 1', async () => {
    using x = ones([5, 1]);
    using evaluation = new StochasticDepth({ p: 0.9 }).eval().forward(x);
    using all = new StochasticDepth({ p: 1 }).forward(x);
    expect(share(await evaluation.data())).toBe(0);
    expect(share(await all.data())).toBe(1);
  });
});

test('both leave nothing behind', () => {
  using x = ones([4, 4]);
  const layers = [new Dropout(), new StochasticDepth({ p: 0.5 })];
  const { handles } = memory();
  for (const layer of layers) noGrad(() => layer.forward(x)).dispose();
  expect(memory().handles).toBe(handles);
});
