import { threefry2x32 } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { defined, dtypes, int, run, shapes } from '../computing.ts';

test('fill gives every dtype its number', () => {
  const expected = { float32: 2.5, int32: 2, uint8: 2, bool: 1 } as const;
  for (const dtype of dtypes) {
    const spec = { shape: [2, 3], dtype };
    expect(run('fill', { ...spec, value: 2.5 })).toEqual([defined(spec, () => expected[dtype])]);
    expect(run('fill', { ...spec, value: 0 })).toEqual([defined(spec, () => 0)]);
  }
  expect(run('fill', { shape: [], dtype: 'float32', value: NaN })[0]!.data[0]).toBeNaN();
});

test('iota counts along any axis', () => {
  fc.assert(
    fc.property(
      shapes(4)
        .filter((shape) => shape.length > 0)
        .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1))),
      fc.constantFrom('float32' as const, 'int32' as const),
      ([shape, axis], dtype) => {
        expect(run('iota', { shape, dtype, axis })).toEqual([
          defined({ shape, dtype }, (index) => index[axis]!),
        ]);
      },
    ),
    { numRuns: 40 },
  );
});

describe('randomBits', () => {
  test('are the words of Threefry, to the bit, for any key and size', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.nat(40), (key0, key1, size) => {
        const [y] = run('randomBits', { shape: [size] }, int([key0, key1]));
        const expected = Array.from(
          { length: size },
          (_, i) => threefry2x32(key0, key1, i >> 1, 0)[i % 2]! >>> 8,
        );
        expect([...y!.data]).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('of a longer draw begin with those of a shorter', () => {
    const key = int([1, 2]);
    const [short, long] = [7, 64].map((size) => run('randomBits', { shape: [size] }, key)[0]!.data);
    expect(long!.slice(0, 7)).toEqual(short);
  });
});
