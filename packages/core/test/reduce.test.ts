import { beforeAll, describe, expect, it } from 'vitest';

import * as ops from '../src/index.ts';
import {
  backward,
  DtypeError,
  parameter,
  ShapeError,
  sort,
  tensor,
  type Tensor,
} from '../src/index.ts';
import { mismatch, floats, scattered, useJs } from './lab.ts';

beforeAll(useJs);

const shape = [2, 3, 4];
const data = scattered(24, 5).map(Math.fround);
const x = (): Tensor => floats(shape, data);

/** The elements that fall together when `axes` are reduced, by the place of the result they go to. */
function groups(axes: readonly number[]): { shape: number[]; kept: number[]; lists: number[][] } {
  const rest = shape.filter((_, axis) => !axes.includes(axis));
  const lists = Array.from({ length: rest.reduce((a, b) => a * b, 1) }, (): number[] => []);
  for (const [flat, value] of data.entries()) {
    const index = [Math.floor(flat / 12), Math.floor(flat / 4) % 3, flat % 4];
    const at = index.reduce(
      (sum, i, axis) => (axes.includes(axis) ? sum : sum * shape[axis]! + i),
      0,
    );
    lists[at]!.push(value);
  }
  return { shape: rest, kept: shape.map((n, axis) => (axes.includes(axis) ? 1 : n)), lists };
}

const total = (list: number[]): number => list.reduce((a, b) => a + b, 0);
const average = (list: number[]): number => total(list) / list.length;
const spread = (list: number[], correction: number): number =>
  total(list.map((v) => (v - average(list)) ** 2)) / (list.length - correction);
const power = (list: number[], p: number): number =>
  total(list.map((v) => Math.abs(v) ** p)) ** (1 / p);

type Reduction = (x: Tensor, options?: ops.ReduceOptions) => Tensor;
const reductions: [string, Reduction, (list: number[]) => number][] = [
  ['sum', ops.sum, total],
  ['mean', ops.mean, average],
  ['prod', ops.prod, (list) => list.reduce((a, b) => a * b, 1)],
  ['max', ops.max, (list) => Math.max(...list)],
  ['min', ops.min, (list) => Math.min(...list)],
  ['variance', ops.variance, (list) => spread(list, 1)],
  [
    'variance, biased',
    (a, o) => ops.variance(a, { ...o, correction: 0 }),
    (list) => spread(list, 0),
  ],
  ['std', ops.std, (list) => Math.sqrt(spread(list, 1))],
  ['norm', ops.norm, (list) => power(list, 2)],
  ['norm of order 1', (a, o) => ops.norm(a, { ...o, p: 1 }), (list) => power(list, 1)],
  ['norm of order 3.5', (a, o) => ops.norm(a, { ...o, p: 3.5 }), (list) => power(list, 3.5)],
  [
    'norm of order infinity',
    (a, o) => ops.norm(a, { ...o, p: Infinity }),
    (list) => Math.max(...list.map(Math.abs)),
  ],
  ['logSumExp', ops.logSumExp, (list) => Math.log(total(list.map(Math.exp)))],
];

describe.each(reductions)('%s', (_, reduce, definition) => {
  it.each([
    [undefined, [0, 1, 2]],
    [0, [0]],
    [-1, [2]],
    [
      [0, -1],
      [0, 2],
    ],
    [
      [2, 1],
      [1, 2],
    ],
  ])('reduces axis %j', async (axis, axes) => {
    const expected = groups(axes);
    const values = expected.lists.map(definition);
    expect(
      await mismatch(reduce(x(), { axis }), { shape: expected.shape, data: values }),
    ).toBeNull();
    expect(
      await mismatch(reduce(x(), { axis, keepDims: true }), {
        shape: expected.kept,
        data: values,
      }),
    ).toBeNull();
  });

  it('names an axis that is out of range or given twice', () => {
    expect(() => reduce(x(), { axis: 3 })).toThrow(/axis 3 is out of range for rank 3/);
    expect(() => reduce(x(), { axis: [0, -3] })).toThrow(/twice/);
    expect(() => reduce(x(), { axis: 0.5 })).toThrow(ShapeError);
  });
});

describe('reductions at their limits', () => {
  it('have neutral elements where there are none', async () => {
    const none = ops.zeros([0, 2]);
    expect(await mismatch(ops.sum(none, { axis: 0 }), { shape: [2], data: [0, 0] })).toBeNull();
    expect(await mismatch(ops.prod(none, { axis: 0 }), { shape: [2], data: [1, 1] })).toBeNull();
    expect(
      await mismatch(ops.mean(none, { axis: 0 }), { shape: [2], data: [NaN, NaN] }),
    ).toBeNull();
    expect(await mismatch(ops.norm(none), { shape: [], data: [0] })).toBeNull();
    expect(() => ops.max(none, { axis: 0 })).toThrow(/no elements/);
    expect(ops.max(none, { axis: 1 }).shape).toEqual([0]);
  });

  it('reduce nothing over no axes', async () => {
    expect(await mismatch(ops.sum(x(), { axis: [] }), { shape, data })).toBeNull();
  });

  it('take whole numbers where that makes sense', async () => {
    const whole = tensor([3, -4], { dtype: 'int32' });
    expect(await ops.sum(whole).data()).toEqual(Int32Array.of(-1));
    expect(await ops.max(whole).data()).toEqual(Int32Array.of(3));
    expect(() => ops.mean(whole)).toThrow(DtypeError);
    expect(() => ops.sum(tensor([true]))).toThrow(/bool/);
  });

  it('give NaN for one sample with a correction of 1', async () => {
    expect(await mismatch(ops.variance(tensor([5])), { shape: [], data: [NaN] })).toBeNull();
    expect(
      await mismatch(ops.variance(tensor([5]), { correction: 0 }), { shape: [], data: [0] }),
    ).toBeNull();
  });

  it('logSumExp neither overflows nor turns infinities to NaN', async () => {
    const big = floats([2, 2], [1000, 1000, -Infinity, -Infinity]);
    expect(
      await mismatch(ops.logSumExp(big, { axis: 1 }), {
        shape: [2],
        data: [1000 + Math.log(2), -Infinity],
      }),
    ).toBeNull();
  });

  it('norms have gradient 0 at 0 and ask for an order above 0', async () => {
    const w = parameter(ops.zeros([2]));
    for (const p of [1, 2, 3]) {
      backward(ops.norm(w, { p }));
      expect(await w.grad!.data()).toEqual(new Float32Array(2));
    }
    expect(() => ops.norm(w, { p: 0 })).toThrow(ShapeError);
  });
});

describe('argmax and argmin', () => {
  it('give the first extreme', async () => {
    const ties = floats([2, 3], [1, 5, 5, -2, 7, -2]);
    expect(await ops.argmax(ties).data()).toEqual(Int32Array.of(1, 1));
    expect(await ops.argmin(ties).data()).toEqual(Int32Array.of(0, 0));
    expect(await ops.argmax(ties, { axis: 0 }).data()).toEqual(Int32Array.of(0, 1, 0));
    expect(ops.argmin(ties, { axis: 1, keepDims: true }).shape).toEqual([2, 1]);
  });

  it('count NaN as the extreme', async () => {
    expect(await ops.argmax(floats([3], [1, NaN, 3])).item()).toBe(1);
    expect(await ops.argmin(floats([3], [1, NaN, -3])).item()).toBe(1);
  });

  it('name what is wrong', () => {
    expect(() => ops.argmax(tensor(1))).toThrow(/^argmax: .*scalar/);
    expect(() => ops.argmin(ops.zeros([0]))).toThrow(ShapeError);
  });
});

/** Distance between neighbours along an axis. */
const line = (axis: number): number => [12, 4, 1][axis]!;

describe('cumsum, sort and topK', () => {
  it.each([0, 1, 2])('cumsum adds up along axis %i', async (axis) => {
    const sums = [...data];
    for (const [flat] of sums.entries()) {
      if (Math.floor(flat / line(axis)) % shape[axis]! > 0) sums[flat]! += sums[flat - line(axis)]!;
    }
    expect(await mismatch(ops.cumsum(x(), { axis: axis - 3 }), { shape, data: sums })).toBeNull();
  });

  it('sort puts NaN last, keeps the order of equals and says where each came from', async () => {
    const values = [2, NaN, -1, 2, Infinity];
    const up = sort(floats([5], values));
    expect(await mismatch(up.values, { shape: [5], data: [-1, 2, 2, Infinity, NaN] })).toBeNull();
    expect(await up.indices.data()).toEqual(Int32Array.of(2, 0, 3, 4, 1));
    const down = sort(floats([5], values), { descending: true });
    expect(await mismatch(down.values, { shape: [5], data: [NaN, Infinity, 2, 2, -1] })).toBeNull();
    expect(await down.indices.data()).toEqual(Int32Array.of(1, 4, 0, 3, 2));
  });

  it('sort works along any axis', async () => {
    const { values, indices } = sort(x(), { axis: 1 });
    expect(
      await mismatch(ops.gather(x(), indices, { axis: 1 }), { shape, data: await values.data() }),
    ).toBeNull();
    const sorted = await values.data();
    const falls = [...sorted.keys()].filter(
      (flat) => Math.floor(flat / 4) % 3 > 0 && sorted[flat]! < sorted[flat - 4]!,
    );
    expect(falls).toEqual([]);
  });

  it('topK takes the largest or smallest', async () => {
    const scores = floats([2, 4], [1, 4, 2, 3, 8, 5, 7, 6]);
    const best = ops.topK(scores, { k: 2 });
    expect(await mismatch(best.values, { shape: [2, 2], data: [4, 3, 8, 7] })).toBeNull();
    expect(await best.indices.data()).toEqual(Int32Array.of(1, 3, 0, 2));
    const least = ops.topK(scores, { k: 1, axis: 0, largest: false });
    expect(await mismatch(least.values, { shape: [1, 4], data: [1, 4, 2, 3] })).toBeNull();
    expect(ops.topK(scores, { k: 0 }).values.shape).toEqual([2, 0]);
    expect(() => ops.topK(scores, { k: 5 })).toThrow(/^topK: k must be .* 0 to 4.*got 5/);
    expect(() => ops.topK(scores, { k: 1.5 })).toThrow(ShapeError);
  });
});
