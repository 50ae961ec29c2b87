import { beforeAll, describe, expect, it } from 'vitest';

import {
  DtypeError,
  linear,
  matmul,
  ShapeError,
  tensor,
  transpose,
  type Tensor,
} from '../src/index.ts';
import { mismatch, floats, scattered, useJs } from './lab.ts';

beforeAll(useJs);

const [m, k, n] = [3, 5, 4];
const a = scattered(2 * m * k, 1).map(Math.fround);
const b = scattered(2 * k * n, 2).map(Math.fround);

/** The product of the `i`-th m x k part of a and the `j`-th k x n part of b, by its definition. */
function product(i: number, j: number): number[] {
  return Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let inner = 0; inner < k; inner++)
      sum += a[i * m * k + Math.floor(at / n) * k + inner]! * b[j * k * n + inner * n + (at % n)]!;
    return sum;
  });
}

/** x as it is stored where an op transposes it. */
const stored = (x: Tensor, turned: boolean): Tensor => (turned ? transpose(x) : x);

describe('matmul', () => {
  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])('multiplies with transposeA %s and transposeB %s', async (transposeA, transposeB) => {
    const x = stored(floats([m, k], a.slice(0, m * k)), transposeA);
    const y = stored(floats([k, n], b.slice(0, k * n)), transposeB);
    expect(
      await mismatch(matmul(x, y, { transposeA, transposeB }), {
        shape: [m, n],
        data: product(0, 0),
      }),
    ).toBeNull();
  });

  it('broadcasts leading axes', async () => {
    const x = floats([2, 1, m, k], a);
    const y = floats([2, k, n], b);
    expect(
      await mismatch(matmul(x, y), {
        shape: [2, 2, m, n],
        data: [product(0, 0), product(0, 1), product(1, 0), product(1, 1)].flat(),
      }),
    ).toBeNull();
  });

  it('sums nothing to 0', async () => {
    expect(
      await mismatch(matmul(floats([2, 0], []), floats([0, 1], [])), {
        shape: [2, 1],
        data: [0, 0],
      }),
    ).toBeNull();
    expect(matmul(floats([0, 2], []), floats([2, 3], 1)).shape).toEqual([0, 3]);
  });

  it('names what does not fit', () => {
    expect(() => matmul(floats([2, 3], 1), floats([2, 3], 1))).toThrow(
      /^matmul: \[2, 3\] times \[2, 3\]: inner lengths 3 and 2/,
    );
    expect(() => matmul(floats([3], 1), floats([3, 1], 1))).toThrow(ShapeError);
    expect(() => matmul(tensor([[1]], { dtype: 'int32' }), floats([1, 1], 1))).toThrow(DtypeError);
  });
});

describe('linear', () => {
  it.each([[[]], [[m]], [[1, m]], [[3, 1, 1]]])(
    'maps the last axis for leading axes %j',
    async (leading) => {
      const rows = leading.reduce((x, y) => x * y, 1);
      const x = floats([...leading, k], a.slice(0, rows * k));
      const weight = transpose(floats([k, n], b.slice(0, k * n)));
      const bias = [1, 2, 3, 4];
      const sums = product(0, 0).slice(0, rows * n);
      expect(await mismatch(linear(x, weight), { shape: [...leading, n], data: sums })).toBeNull();
      expect(
        await mismatch(linear(x, weight, floats([n], bias)), {
          shape: [...leading, n],
          data: sums.map((value, i) => value + bias[i % n]!),
        }),
      ).toBeNull();
    },
  );

  it('names what does not fit', () => {
    const weight = floats([4, 3], 1);
    expect(() => linear(floats([2, 4], 1), weight)).toThrow(/^linear: .*\[2, 4\].*\[4, 3\]/);
    expect(() => linear(floats([2, 3], 1), weight, floats([1], 1))).toThrow(
      /^linear: the bias has shape \[1\]; expected \[4\]/,
    );
    expect(() => linear(tensor(1), weight)).toThrow(ShapeError);
  });
});
