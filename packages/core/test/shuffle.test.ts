import { ShapeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import { channelShuffle, pixelShuffle, pixelUnshuffle } from '../src/index.ts';
import { build, mismatch, floats, leaked, plain, useJs } from './images.ts';

beforeAll(useJs);

describe('pixelShuffle', () => {
  test('turns channels into pixels, row of the factor first', async () => {
    const x = floats([2, 12, 2, 3], 3);
    const { data } = await plain(x);
    const expected = build([2, 3, 4, 6], ([n, c, row, column]) => {
      const channel = (c! * 2 + (row! % 2)) * 2 + (column! % 2);
      return data[((n! * 12 + channel) * 2 + (row! >> 1)) * 3 + (column! >> 1)]!;
    });
    expect(await mismatch(pixelShuffle(x, { factor: 2 }), expected, 0)).toBeNull();
  });

  test('is undone by pixelUnshuffle', async () => {
    const x = floats([1, 9, 2, 4], 3);
    const back = pixelUnshuffle(pixelShuffle(x, { factor: 3 }), { factor: 3 });
    expect(await mismatch(back, await plain(x), 0)).toBeNull();
  });

  test('names shapes that do not divide', () => {
    expect(() => pixelShuffle(floats([1, 6, 2, 2]), { factor: 2 })).toThrow(ShapeError);
    expect(() => pixelShuffle(floats([1, 6, 2, 2]), { factor: 2 })).toThrow(
      /pixelShuffle: factor 2 needs a multiple of 4 channels.*has 6/,
    );
    expect(() => pixelUnshuffle(floats([1, 6, 3, 2]), { factor: 2 })).toThrow(
      /pixelUnshuffle: factor 2 .*\[1, 6, 3, 2\]/,
    );
    expect(() => pixelShuffle(floats([4, 2, 2]), { factor: 2 })).toThrow(/\[N, C, H, W\]/);
    expect(() => pixelUnshuffle(floats([1, 1, 2, 2]), { factor: 0 })).toThrow(/factor .*got 0/);
  });
});

describe('channelShuffle', () => {
  test.each([[[2, 6]], [[2, 6, 3]], [[2, 6, 2, 3]], [[1, 6, 2, 1, 2, 1]]])(
    'deals the channels of %o out in turn',
    async (shape) => {
      const x = floats(shape, 3);
      const { data } = await plain(x);
      const inner = shape.slice(2).reduce((a, b) => a * b, 1);
      let flat = 0;
      const expected = build(shape, ([n, c]) => {
        // With 2 groups of 3, the result's channels come from 0, 3, 1, 4, 2, 5.
        const source = (c! % 2) * 3 + Math.floor(c! / 2);
        return data[(n! * 6 + source) * inner + (flat++ % inner)]!;
      });
      expect(await mismatch(channelShuffle(x, { groups: 2 }), expected, 0)).toBeNull();
    },
  );

  test('is undone by shuffling with as many groups as a group had channels', async () => {
    const x = floats([1, 12, 2], 3);
    const back = channelShuffle(channelShuffle(x, { groups: 3 }), { groups: 4 });
    expect(await mismatch(back, await plain(x), 0)).toBeNull();
  });

  test('names groups that do not divide the channels', () => {
    expect(() => channelShuffle(floats([1, 6, 2]), { groups: 4 })).toThrow(
      /channelShuffle: .*\[1, 6, 2\].*groups 4/,
    );
    expect(() => channelShuffle(floats([6]), { groups: 2 })).toThrow(ShapeError);
    expect(() => channelShuffle(floats([1, 6]), { groups: 1.5 })).toThrow(/groups .*got 1.5/);
  });
});

test('shuffles leave nothing behind but their results', () => {
  const x = floats([1, 4, 2, 2]);
  expect(leaked(() => pixelShuffle(x, { factor: 2 }))).toBe(0);
  expect(leaked(() => pixelUnshuffle(x, { factor: 2 }))).toBe(0);
  expect(leaked(() => channelShuffle(x, { groups: 2 }))).toBe(0);
});
