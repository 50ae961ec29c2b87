import { beforeAll, describe, expect, it } from 'vitest';

import * as ops from '../src/index.ts';
import { backward, DtypeError, parameter, sum, tensor, type Tensor } from '../src/index.ts';
import { mismatch, floats, useJs } from './lab.ts';

beforeAll(useJs);

async function truths(x: Tensor): Promise<boolean[]> {
  expect(x.dtype).toBe('bool');
  return [...(await x.data())].map(Boolean);
}

const comparisons: [
  string,
  (a: ops.Operand, b: ops.Operand) => Tensor,
  (a: number, b: number) => boolean,
][] = [
  ['equal', ops.equal, (a, b) => a === b],
  ['notEqual', ops.notEqual, (a, b) => a !== b],
  ['less', ops.less, (a, b) => a < b],
  ['lessEqual', ops.lessEqual, (a, b) => a <= b],
  ['greater', ops.greater, (a, b) => a > b],
  ['greaterEqual', ops.greaterEqual, (a, b) => a >= b],
];

describe('comparisons', () => {
  it.each(comparisons)('%s compares as IEEE 754 says, NaN included', async (_, compare, holds) => {
    const a = [1, 2, 3, NaN, NaN, Infinity, -0];
    const b = [2, 2, 2, 1, NaN, Infinity, 0];
    const expected = a.map((v, i) => holds(v, b[i]!));
    expect(await truths(compare(floats([7], a), floats([7], b)))).toEqual(expected);
  });

  it.each(comparisons)('%s takes numbers and whole numbers', async (_, compare, holds) => {
    const x = tensor([1, 2, 3], { dtype: 'int32' });
    const expected = [1, 2, 3].map((v) => holds(v, 2));
    expect(await truths(compare(x, 2))).toEqual(expected);
    const turned = [1, 2, 3].map((v) => holds(2, v));
    expect(await truths(compare(2, x))).toEqual(turned);
    expect(() => compare(x, 0.5)).toThrow(DtypeError);
  });

  it('tell what is no number', async () => {
    const x = floats([4], [1, NaN, Infinity, -Infinity]);
    expect(await truths(ops.isNaN(x))).toEqual([false, true, false, false]);
    expect(await truths(ops.isFinite(x))).toEqual([true, false, false, false]);
    expect(await truths(ops.isFinite(tensor([1], { dtype: 'int32' })))).toEqual([true]);
  });
});

const a = (): Tensor => tensor([true, true, false, false]);
const b = (): Tensor => tensor([true, false, true, false]);

describe('truth values', () => {
  it('combine', async () => {
    expect(await truths(ops.logicalNot(b()))).toEqual([false, true, false, true]);
    expect(await truths(ops.logicalAnd(a(), b()))).toEqual([true, false, false, false]);
    expect(await truths(ops.logicalOr(a(), b()))).toEqual([true, true, true, false]);
  });

  it('are asked for by name', () => {
    expect(() => ops.logicalNot(tensor([1]))).toThrow(
      /^logicalNot: .*float32 \[1\]; expected bool/,
    );
    expect(() => ops.logicalAnd(a(), tensor([1]))).toThrow(DtypeError);
    expect(() => ops.logicalOr(tensor([1]), a())).toThrow(/^logicalOr/);
  });

  it('hold for any and all along axes', async () => {
    const x = tensor([
      [true, false],
      [true, true],
    ]);
    expect(await truths(ops.any(x, { axis: 1 }))).toEqual([true, true]);
    expect(await truths(ops.all(x, { axis: 1 }))).toEqual([false, true]);
    expect(await truths(ops.all(x))).toEqual([false]);
    expect(await truths(ops.any(floats([3], [0, 0, 0.5])))).toEqual([true]);
    expect(ops.any(x, { axis: [0, 1], keepDims: true }).shape).toEqual([1, 1]);
    expect(await truths(ops.any(ops.zeros([0], { dtype: 'bool' })))).toEqual([false]);
    expect(await truths(ops.all(ops.zeros([0], { dtype: 'bool' })))).toEqual([true]);
    expect(() => ops.any(x, { axis: 2 })).toThrow(/^any: axis 2/);
  });
});

describe('where', () => {
  it('picks, broadcasts and takes numbers', async () => {
    const condition = tensor([[true], [false]]);
    expect(
      await mismatch(ops.where(condition, floats([2], [1, 2]), floats([2], [3, 4])), {
        shape: [2, 2],
        data: [1, 2, 3, 4],
      }),
    ).toBeNull();
    expect(
      await mismatch(ops.where(condition, floats([2], [1, 2]), 0), {
        shape: [2, 2],
        data: [1, 2, 0, 0],
      }),
    ).toBeNull();
    expect(await mismatch(ops.where(condition, 1, 0), { shape: [2, 1], data: [1, 0] })).toBeNull();
    const whole = ops.where(condition, 7, tensor([1], { dtype: 'int32' }));
    expect(await whole.data()).toEqual(Int32Array.of(7, 1));
  });

  it('passes gradients to what it picked, whatever NaN the other side holds', async () => {
    const w = parameter(floats([2], [4, -1]));
    backward(sum(ops.where(ops.greater(w, 0), w, NaN)));
    expect(await w.grad!.data()).toEqual(Float32Array.of(1, 0));
  });

  it('takes truth values as its condition only', () => {
    expect(() => ops.where(tensor([1]), 1, 2)).toThrow(DtypeError);
    expect(() => ops.where(tensor([true]), 0.5, tensor([1], { dtype: 'int32' }))).toThrow(
      /^where: 0.5/,
    );
  });
});
