import { broadcastShapes, type Dtype } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Value } from '../../src/kernel.ts';
import {
  at,
  bool,
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

const arithmetic = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  pow: (a: number, b: number) => a ** b,
  minimum: (a: number, b: number) => Math.min(a, b),
  maximum: (a: number, b: number) => Math.max(a, b),
} as const;

const comparisons = {
  equal: (a: number, b: number) => Number(a === b),
  notEqual: (a: number, b: number) => Number(a !== b),
  less: (a: number, b: number) => Number(a < b),
  lessEqual: (a: number, b: number) => Number(a <= b),
  greater: (a: number, b: number) => Number(a > b),
  greaterEqual: (a: number, b: number) => Number(a >= b),
} as const;

/** Two shapes that broadcast: parts of one, with some axes reduced to 1. */
const pairs = shapes(5).chain((shape) => {
  const part = fc
    .tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }))
    .map(([from, ones]) => shape.slice(from).map((length, axis) => (ones[axis] ? 1 : length)));
  return fc.tuple(part, part);
});

function expected(a: Value, b: Value, dtype: Dtype, f: (a: number, b: number) => number): Value {
  const shape = broadcastShapes(a.spec.shape, b.spec.shape)!;
  return defined({ shape, dtype }, (index) => f(at(a, index), at(b, index)));
}

const special = [0, -0, 1, -1, 2.5, -2.5, 1e30, Infinity, -Infinity, NaN];
const left = float(special, [special.length, 1]);
const right = float(special);

describe.each(Object.entries(arithmetic))('%s', (name, f) => {
  const op = name as keyof typeof arithmetic;

  test('broadcasts any two shapes that fit', () => {
    fc.assert(
      fc.property(pairs, ([p, q]) => {
        const [a, b] = [pseudoRandom(p, 1), pseudoRandom(q, 2)];
        expect(run(op, {}, a, b)).toEqual([expected(a, b, 'float32', f)]);
      }),
      { numRuns: 40 },
    );
  });

  test('treats infinities, NaN and zeros of both signs as IEEE 754 does', () => {
    const [y] = run(op, {}, left, right);
    expect(distance(y!.data, expected(left, right, 'float32', f).data)).toBe(0);
  });

  test('gives the same in place, whichever input may be overwritten', () => {
    for (const [p, q] of [
      [
        [4, 3],
        [4, 3],
      ],
      [[4, 3], [3]],
      [
        [1, 3],
        [4, 3],
      ],
      [
        [4, 1],
        [1, 3],
      ],
      [[], [2, 2]],
      [[1, 4], [4]],
    ] as const) {
      const [a, b] = [pseudoRandom(p, 3), pseudoRandom(q, 4)];
      expect(runInPlace(op, {}, a, b)).toEqual(run(op, {}, a, b));
    }
  });
});

describe.each(Object.entries(comparisons))('%s', (name, f) => {
  const op = name as keyof typeof comparisons;

  test('compares every dtype to bool', () => {
    for (const dtype of ['float32', 'int32'] as const) {
      const [a, b] = [pseudoRandom([3, 4, 5], 1, dtype), pseudoRandom([4, 1], 2, dtype)];
      expect(run(op, {}, a, b)).toEqual([expected(a, b, 'bool', f)]);
    }
    const [a, b] = [bool([0, 0, 1, 1]), bool([0, 1, 0, 1])];
    expect(run(op, {}, a, b)).toEqual([expected(a, b, 'bool', f)]);
  });

  test('orders NaN with nothing, and equals its decomposition', () => {
    const y = run(op, {}, left, right);
    expect(y).toEqual([expected(left, right, 'bool', f)]);
    expect(runDecomposed(op, {}, left, right)).toEqual(y);
  });
});

describe('int32', () => {
  const a = int([2 ** 31 - 1, -(2 ** 31), 65537, -46341, 7], [5, 1]);
  const b = int([2 ** 31 - 1, -(2 ** 31), 65537, -46341, 7]);
  test.each([
    ['add', (p: number, q: number) => (p + q) | 0],
    ['sub', (p: number, q: number) => (p - q) | 0],
    ['mul', Math.imul],
    ['minimum', Math.min],
    ['maximum', Math.max],
  ] as const)('%s is exact and wraps at 32 bits', (op, f) => {
    expect(run(op, {}, a, b)).toEqual([expected(a, b, 'int32', f)]);
  });
});

describe('select', () => {
  test('broadcasts three shapes and takes each dtype', () => {
    const condition = bool([1, 0, 1], [3, 1]);
    for (const dtype of ['float32', 'int32'] as const) {
      const [a, b] = [pseudoRandom([2, 1, 4], 5, dtype), pseudoRandom([3, 4], 6, dtype)];
      const y = run('select', {}, condition, a, b);
      expect(y).toEqual([
        defined({ shape: [2, 3, 4], dtype }, (index) =>
          at(condition, index) ? at(a, index) : at(b, index),
        ),
      ]);
      expect(runInPlace('select', {}, condition, a, b)).toEqual(y);
    }
  });

  test('may overwrite a bool operand behind its reading', () => {
    const [condition, a, b] = [bool([1, 0, 1, 0]), bool([0, 0, 1, 1]), bool([1, 1, 0, 0])];
    expect([...runInPlace('select', {}, condition, a, b)[0]!.data]).toEqual([0, 1, 1, 0]);
  });
});
