import { ShapeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import { dropout, Generator, mul, sum, valueAndGrad } from '../src/index.ts';
import { floats, leaked, useJs } from './images.ts';

beforeAll(useJs);

const ones = (count: number): Float32Array => new Float32Array(count).fill(1);

describe('dropout', () => {
  test('drops a share p and scales the rest by 1 / (1 - p)', async () => {
    const count = 20000;
    const y = dropout(floats([count], ones(count)), { p: 0.3, generator: new Generator(1) });
    const data = await y.data();
    const kept = data.filter((value) => value !== 0);
    for (const value of kept) expect(value).toBeCloseTo(1 / 0.7, 5);
    // Six standard deviations of a binomial count.
    expect(Math.abs(kept.length - 0.7 * count)).toBeLessThan(6 * Math.sqrt(count * 0.3 * 0.7));
  });

  test('drops the same elements for a seed, others on the next draw', async () => {
    const x = floats([200], ones(200));
    const draw = async (generator: Generator): Promise<number[]> => [
      ...(await dropout(x, { generator }).data()),
    ];
    const generator = new Generator(7);
    const [first, second] = [await draw(generator), await draw(generator)];
    expect(await draw(new Generator(7))).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('passes the gradient where elements were kept', async () => {
    const x = floats([50], 3);
    const mask = await dropout(floats([50], ones(50)), { generator: new Generator(3) }).data();
    const { grads } = valueAndGrad((input) =>
      sum(mul(dropout(input, { generator: new Generator(3) }), 5)),
    )(x);
    expect([...(await grads[0]!.data())]).toEqual([...mask].map((value) => value * 5));
  });

  test('keeps all for p = 0 and nothing for p = 1', async () => {
    const x = floats([30], 3);
    const generator = new Generator(1);
    const all = dropout(x, { p: 0, generator });
    expect([...(await all.data())]).toEqual([...(await x.data())]);
    expect(all).not.toBe(x);
    const none = await dropout(x, { p: 1, generator }).data();
    expect(none.every((value) => value === 0)).toBe(true);
  });

  test('leaves nothing behind but its result', () => {
    const x = floats([30]);
    expect(leaked(() => dropout(x, { generator: new Generator(1) }))).toBe(0);
  });

  test.each([-0.1, 1.1, NaN])('refuses p = %d', (p) => {
    const call = (): unknown => dropout(floats([3]), { p, generator: new Generator(1) });
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(/dropout: p .*\[0, 1\]/);
  });
});
