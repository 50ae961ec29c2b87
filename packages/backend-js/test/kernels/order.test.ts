import { reducedShape } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Value } from '../../src/kernel.ts';
import {
  at,
  defined,
  distance,
  float,
  int,
  pseudoRandom,
  run,
  runDecomposed,
  runInPlace,
  shapes,
} from '../computing.ts';

const shapeAndAxis = shapes(4, 1)
  .filter((shape) => shape.length > 0)
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

/** Values of the line through `index` along `axis`. */
function line(x: Value, index: readonly number[], axis: number): number[] {
  return Array.from({ length: x.spec.shape[axis]! }, (_, i) => at(x, index.with(axis, i)));
}

/** Few different values, so that there are ties, with NaN, infinities and both zeros among them. */
const awkward = fc.constantFrom(0, -0, 1, -1, 2, NaN, Infinity, -Infinity, -1e-40);

describe.each([
  ['argMax', (a: number, b: number) => a > b],
  ['argMin', (a: number, b: number) => a < b],
] as const)('%s', (op, exceeds) => {
  function first(values: readonly number[]): number {
    const nan = values.findIndex(Number.isNaN);
    if (nan >= 0) return nan;
    return values.findIndex((value) => !values.some((other) => exceeds(other, value)));
  }

  test('finds the first extreme of every line', () => {
    fc.assert(
      fc.property(shapeAndAxis, fc.boolean(), fc.boolean(), ([shape, axis], keepDims, whole) => {
        const x = pseudoRandom(shape, 1, whole ? 'int32' : 'float32');
        const [y] = run(op, { axis, keepDims }, x);
        expect(y!.spec).toEqual({ shape: reducedShape(shape, [axis], keepDims), dtype: 'int32' });
        const expected = defined(
          { shape: reducedShape(shape, [axis], true), dtype: 'int32' },
          (index) => first(line(x, index, axis)),
        );
        expect(y!.data).toEqual(expected.data);
      }),
      { numRuns: 40 },
    );
  });

  test('lets the first of equals win, and any NaN', () => {
    fc.assert(
      fc.property(fc.array(awkward, { minLength: 1, maxLength: 6 }), (values) => {
        const x = float(values);
        const [y] = run(op, { axis: 0, keepDims: false }, x);
        expect(y!.data[0]).toBe(first([...x.data]));
        expect(runDecomposed(op, { axis: 0, keepDims: false }, x)).toEqual([y]);
      }),
      { numRuns: 60 },
    );
  });
});

/** NaN is largest, and zeros of both signs are equal. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}

/** Values and indices by a stable comparison of every line. */
function sorted(x: Value, axis: number, descending: boolean): Value[] {
  const positions = defined({ shape: x.spec.shape, dtype: 'int32' }, (index) => {
    const elements = line(x, index, axis);
    const order = [...elements.keys()].toSorted(
      (a, b) => compare(elements[a]!, elements[b]!) * (descending ? -1 : 1) || a - b,
    );
    return order[index[axis]!]!;
  });
  const values = defined(x.spec, (index) => at(x, index.with(axis, at(positions, index))));
  return [values, positions];
}

describe('sort', () => {
  test('orders every line of any shape', () => {
    fc.assert(
      fc.property(shapeAndAxis, fc.boolean(), fc.boolean(), ([shape, axis], descending, whole) => {
        const x = pseudoRandom(shape, 3, whole ? 'int32' : 'float32');
        expect(run('sort', { axis, descending }, x)).toEqual(sorted(x, axis, descending));
      }),
      { numRuns: 40 },
    );
  });

  test('is stable, with NaN largest and zeros equal, on short and long lines', () => {
    for (const maxLength of [8, 200]) {
      const values = fc.array(awkward, { minLength: maxLength / 4, maxLength });
      fc.assert(
        fc.property(values, fc.boolean(), (numbers, descending) => {
          const x = float(numbers);
          expect(run('sort', { axis: 0, descending }, x)).toEqual(sorted(x, 0, descending));
        }),
        { numRuns: 30 },
      );
    }
  });

  test('orders numbers far apart on long lines', () => {
    const numbers = Array.from({ length: 300 }, (_, i) => Math.sin(i * i) * 10 ** ((i % 60) - 30));
    const extremes = [2 ** 31 - 1, -(2 ** 31), 0, -1, 1, ...Array.from({ length: 60 }, () => 7)];
    for (const [x, axis] of [
      [float(numbers), 0],
      [float(numbers, [2, 150]), 1],
      [float(numbers, [150, 2]), 0],
      [int(numbers.map((value) => Math.trunc(value) | 0)), 0],
      [int(extremes), 0],
    ] as const) {
      for (const descending of [false, true]) {
        expect(run('sort', { axis, descending }, x)).toEqual(sorted(x, axis, descending));
      }
    }
  });

  test('of no elements gives none', () => {
    const [values, indices] = run('sort', { axis: 1, descending: false }, float([], [2, 0]));
    expect([values!.spec.shape, indices!.spec.shape]).toEqual([
      [2, 0],
      [2, 0],
    ]);
  });
});

describe('cumsum', () => {
  test('adds up along any axis, and in place', () => {
    fc.assert(
      fc.property(shapeAndAxis, ([shape, axis]) => {
        const x = pseudoRandom(shape, 4);
        const [y] = run('cumsum', { axis }, x);
        const expected = defined(x.spec, (index) =>
          line(x, index, axis)
            .slice(0, index[axis]! + 1)
            .reduce((a, b) => a + b, 0),
        );
        expect(y).toEqual(expected);
        expect(runInPlace('cumsum', { axis }, x)).toEqual([y]);
        expect(distance(y!.data, runDecomposed('cumsum', { axis }, x)[0]!.data)).toBeLessThan(1e-6);
      }),
      { numRuns: 40 },
    );
  });
});
