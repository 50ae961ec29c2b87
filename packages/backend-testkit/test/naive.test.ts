// The reference itself, against closed forms and small sums done by hand.

import { opNames, type Spec } from '@convoke/backend-api';
import { describe, expect, test } from 'vitest';

import { fromData, runNaive, toData, type NaiveValue } from '../src/index.ts';
import { examples, drawInputs } from '../src/examples/index.ts';

const float = (...shape: number[]): Spec => ({ shape, dtype: 'float32' });
const vector = (...values: number[]): NaiveValue => fromData(float(values.length), values);

describe('the naive reference', () => {
  test('interprets every op of the catalogue', () => {
    const run = new Set(
      examples.map((example) => {
        runNaive(example.op, drawInputs(example), example.attributes as never);
        return example.op;
      }),
    );
    expect(opNames.filter((op) => !run.has(op))).toEqual([]);
  });

  test('erf agrees with tabulated values', () => {
    // Abramowitz & Stegun, table 7.1.
    const [y] = runNaive('erf', [vector(0, 0.1, 0.5, 1, 2, -1)], {});
    const table = [0, 0.112462916, 0.5204998778, 0.8427007929, 0.995322265, -0.8427007929];
    for (const [i, value] of table.entries()) expect(y!.data[i]).toBeCloseTo(value, 9);
  });

  test('rounds halves to even', () => {
    const [y] = runNaive('round', [vector(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6)], {});
    expect([...y!.data].map((value) => value + 0)).toEqual([-2, -2, 0, 0, 2, 2, 2, -3]);
  });

  test('a convolution is a cross-correlation: a single tap moves the picture', () => {
    const x = fromData(float(1, 1, 3, 3), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const filter = fromData(float(1, 1, 3, 3), [1, 0, 0, 0, 0, 0, 0, 0, 0]);
    const [y] = runNaive('conv2d', [x, filter], {
      stride: [1, 1],
      padding: [1, 1, 1, 1],
      lhsDilation: [1, 1],
      rhsDilation: [1, 1],
      groups: 1,
    });
    expect([...y!.data]).toEqual([0, 0, 0, 0, 1, 2, 0, 4, 5]);
  });

  test('whole numbers wrap at 32 bits', () => {
    const big = fromData({ shape: [1], dtype: 'int32' }, [2 ** 31 - 1]);
    const one = fromData({ shape: [1], dtype: 'int32' }, [1]);
    expect(runNaive('add', [big, one], {})[0]!.data[0]).toBe(-(2 ** 31));
    expect(runNaive('mul', [big, big], {})[0]!.data[0]).toBe(1);
  });

  test('an index out of range is a DataError that names it', () => {
    const indices = fromData({ shape: [1], dtype: 'int32' }, [3]);
    expect(() => runNaive('gather', [vector(1, 2, 3), indices], { axis: 0 })).toThrow(
      'index 3 is out of range for axis 0 of length 3; expected 0 to 2',
    );
  });

  test('host data is rounded to its dtype', () => {
    expect(toData(vector(0.1))).toEqual(Float32Array.of(0.1));
  });
});
