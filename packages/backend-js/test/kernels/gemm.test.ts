import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { multiply, multiplyAdd, steps } from '../../src/kernels/gemm.ts';
import { differences, randomTensor } from './dense-running.ts';

function reference(
  m: number,
  n: number,
  k: number,
  a: ArrayLike<number>,
  b: ArrayLike<number>,
): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let l = 0; l < k; l++) c[i * n + j]! += a[i * k + l]! * b[l * n + j]!;
  return c;
}

function operands(m: number, n: number, k: number) {
  const a = randomTensor([m, k], m + 1).data as Float32Array;
  const b = randomTensor([k, n], n + 7).data as Float32Array;
  return {
    values: { a, b },
    a: { data: a, offset: 0, rows: steps(m, k), columns: steps(k, 1) },
    b: { data: b, offset: 0, rows: steps(k, n), columns: steps(n, 1) },
    target: { offset: 0, rows: steps(m, n), columns: steps(n, 1) },
  };
}

describe('multiply', () => {
  it('equals the triple loop for every remainder of the tiles and every narrow shape', () => {
    const length = fc.integer({ min: 0, max: 14 });
    fc.assert(
      fc.property(length, length, length, (m, n, k) => {
        const { values, a, b, target } = operands(m, n, k);
        const data = new Float32Array(m * n).fill(NaN);
        multiply(a, b, { ...target, data });
        const spec = { shape: [m, n], dtype: 'float32' } as const;
        expect(
          differences(
            { spec, data },
            { shape: [m, n], data: reference(m, n, k, values.a, values.b) },
          ),
        ).toEqual([]);
      }),
    );
  });

  it.each([
    [300, 5, 20],
    [5, 400, 20],
    [9, 11, 700],
    [261, 197, 259],
    [510, 192, 256],
    [511, 193, 257],
    [509, 191, 513],
    [600, 2, 300],
    [1, 600, 300],
  ])('equals the triple loop where %i x %i x %i spans several blocks', (m, n, k) => {
    const { values, a, b, target } = operands(m, n, k);
    const data = new Float32Array(m * n).fill(NaN);
    multiply(a, b, { ...target, data });
    const spec = { shape: [m, n], dtype: 'float32' } as const;
    expect(
      differences({ spec, data }, { shape: [m, n], data: reference(m, n, k, values.a, values.b) }),
    ).toEqual([]);
  });

  it('keeps infinities and NaN in their own rows and columns', () => {
    const { values, a, b, target } = operands(6, 7, 5);
    values.a[0] = Infinity;
    values.b[34] = NaN;
    const data = new Float32Array(42);
    multiply(a, b, { ...target, data });
    const wanted = reference(6, 7, 5, values.a, values.b);
    expect([...data].map(Number.isFinite)).toEqual([...wanted].map(Number.isFinite));
    expect([...data].map(Number.isNaN)).toEqual([...wanted].map(Number.isNaN));
  });
});

describe('multiply of operands that lie otherwise', () => {
  it.each([
    [3, 3, 3],
    [7, 5, 11],
    [512, 4, 10],
    [70, 200, 300],
  ])('equals the triple loop for transposed operands and target of %i x %i x %i', (m, n, k) => {
    const { values, a, b } = operands(m, n, k);
    const [left, right] = [new Float32Array(m * k), new Float32Array(k * n)];
    for (let i = 0; i < m; i++) for (let l = 0; l < k; l++) left[l * m + i] = values.a[i * k + l]!;
    for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) right[j * k + l] = values.b[l * n + j]!;
    const plain = new Float32Array(m * n);
    multiply(a, b, { data: plain, offset: 0, rows: steps(m, n), columns: steps(n, 1) });
    const turned = new Float32Array(m * n).fill(NaN);
    multiply(
      { data: left, offset: 0, rows: steps(m, 1), columns: steps(k, m) },
      { data: right, offset: 0, rows: steps(k, 1), columns: steps(n, k) },
      { data: turned, offset: 0, rows: steps(m, 1), columns: steps(n, m) },
    );
    const spec = { shape: [m, n], dtype: 'float32' } as const;
    const wanted = { shape: [m, n], data: reference(m, n, k, values.a, values.b) };
    expect(differences({ spec, data: plain }, wanted)).toEqual([]);
    const back = plain.map((_, at) => turned[(at % n) * m + Math.floor(at / n)]!);
    expect(back).toEqual(plain);
  });

  it('is the same after a product of other shape, of NaN', () => {
    const [m, n, k] = [31, 29, 40];
    const { a, b, target } = operands(m, n, k);
    const first = new Float32Array(m * n);
    multiply(a, b, { ...target, data: first });
    const nan = new Float32Array(60 * 60).fill(NaN);
    const square = { data: nan, offset: 0, rows: steps(60, 60), columns: steps(60, 1) };
    multiply(square, square, { ...square, data: new Float32Array(60 * 60) });
    const second = new Float32Array(m * n);
    multiply(a, b, { ...target, data: second });
    expect(second).toEqual(first);
  });
});

describe('multiplyAdd', () => {
  it('adds to what the target holds, also where columns of the target coincide', () => {
    const { values, a, b, target } = operands(5, 8, 6);
    const data = new Float64Array(5 * 8).fill(2);
    multiplyAdd(a, b, { ...target, columns: new Int32Array(8), data });
    const wanted = reference(5, 8, 6, values.a, values.b);
    for (let row = 0; row < 5; row++) {
      const sum = wanted.slice(row * 8, row * 8 + 8).reduce((x, y) => x + y, 2);
      expect(data[row * 8]).toBeCloseTo(sum, 10);
      expect(Array.from(data.subarray(row * 8 + 1, row * 8 + 8))).toEqual(
        Array.from({ length: 7 }, () => 2),
      );
    }
  });
});
