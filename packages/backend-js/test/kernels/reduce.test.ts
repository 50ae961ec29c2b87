import { reducedShape, sizeOf } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Value } from '../../src/kernel.ts';
import {
  at,
  defined,
  distance,
  eachIndex,
  float,
  int,
  pseudoRandom,
  run,
  runDecomposed,
  shapes,
} from '../computing.ts';

const folds = {
  reduceSum: (values: number[]) => values.reduce((a, b) => a + b, 0),
  reduceMean: (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length,
  reduceProd: (values: number[]) => values.reduce((a, b) => a * b, 1),
  reduceMax: (values: number[]) => Math.max(...values),
  reduceMin: (values: number[]) => Math.min(...values),
} as const;

/** A shape with some of its axes. */
const reductions = (least: number): fc.Arbitrary<[number[], number[]]> =>
  shapes(5, least).chain((shape) =>
    fc.tuple(fc.constant(shape), fc.shuffledSubarray([...shape.keys()])),
  );

/** Every element's definition: the fold of all elements that differ from it in the reduced axes only. */
function expected(x: Value, axes: readonly number[], f: (values: number[]) => number): Value {
  const { shape, dtype } = x.spec;
  const kept = reducedShape(shape, axes, true);
  return defined({ shape: kept, dtype }, (index) => {
    const values: number[] = [];
    eachIndex(
      axes.map((axis) => shape[axis]!),
      (along) => {
        const whole = [...index];
        for (const [i, axis] of axes.entries()) whole[axis] = along[i]!;
        values.push(at(x, whole));
      },
    );
    return f(values);
  });
}

describe.each(Object.entries(folds))('%s', (name, f) => {
  const op = name as keyof typeof folds;
  const least = op === 'reduceMax' || op === 'reduceMin' ? 1 : 0;

  test('folds any axes of any shape', () => {
    fc.assert(
      fc.property(reductions(least), fc.boolean(), ([shape, axes], keepDims) => {
        const x = pseudoRandom(shape, 1);
        const [y] = run(op, { axes, keepDims }, x);
        expect(y!.spec.shape).toEqual(reducedShape(shape, axes, keepDims));
        expect(distance(y!.data, expected(x, axes, f).data)).toBeLessThan(2e-7);
      }),
      { numRuns: 60 },
    );
  });

  test('equals its decomposition', () => {
    const x = pseudoRandom([3, 4, 5, 6], 2);
    for (const axes of [[0, 2, 3], [3], [0], [1], [0, 1, 2, 3], []]) {
      const attributes = { axes, keepDims: false };
      const [direct, composed] = [run(op, attributes, x), runDecomposed(op, attributes, x)];
      expect(distance(direct[0]!.data, composed[0]!.data)).toBeLessThan(2e-7);
    }
  });

  test('passes NaN and infinities on, along a line as along a row', () => {
    const x = float([1, NaN, 2, -Infinity, 3, 4, Infinity, 5, -Infinity], [3, 3]);
    for (const axis of [0, 1]) {
      const [y] = run(op, { axes: [axis], keepDims: true }, x);
      expect(distance(y!.data, expected(x, [axis], f).data)).toBe(0);
    }
  });
});

test('sums of many float32 are exact to the last bit kept', () => {
  const size = 100_003;
  const x = float(Array.from({ length: size }, () => 0.1));
  const exact = Math.fround(0.1) * size;
  expect(run('reduceSum', { axes: [0], keepDims: false }, x)[0]!.data[0]).toBe(Math.fround(exact));
  const column = { ...x, spec: { ...x.spec, shape: [size, 1] } };
  expect(run('reduceSum', { axes: [0], keepDims: false }, column)[0]!.data[0]).toBe(
    Math.fround(exact),
  );
});

describe('int32', () => {
  const x = int([2 ** 31 - 1, 5, -7, 65537, 65537, -(2 ** 31)], [2, 3]);
  test.each([
    ['reduceSum', (values: number[]) => values.reduce((a, b) => (a + b) | 0, 0)],
    ['reduceProd', (values: number[]) => values.reduce(Math.imul, 1)],
    ['reduceMax', folds.reduceMax],
    ['reduceMin', folds.reduceMin],
  ] as const)('%s is exact and wraps at 32 bits', (op, f) => {
    for (const axes of [[0], [1], [0, 1]]) {
      const [y] = run(op, { axes, keepDims: true }, x);
      expect(y).toEqual(expected(x, axes, f));
      expect(sizeOf(y!.spec.shape)).toBe(y!.data.length);
    }
  });
});
