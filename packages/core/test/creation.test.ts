import { createMeta } from '@convoke/backend-api';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  arange,
  backward,
  cast,
  clone,
  DataError,
  detach,
  DtypeError,
  eye,
  full,
  fullLike,
  linspace,
  mul,
  ones,
  onesLike,
  parameter,
  ShapeError,
  sum,
  tensor,
  zeros,
  zerosLike,
  type Dtype,
} from '../src/index.ts';
import { mismatch, floats, useJs } from './lab.ts';

beforeAll(useJs);

describe('tensor', () => {
  it('takes numbers, nested arrays and flat lists with a shape', async () => {
    expect(await mismatch(tensor(3), { shape: [], data: [3] })).toBeNull();
    expect(await mismatch(tensor([1, 2]), { shape: [2], data: [1, 2] })).toBeNull();
    expect(
      await mismatch(
        tensor([
          [[1], [2]],
          [[3], [4]],
        ]),
        { shape: [2, 2, 1], data: [1, 2, 3, 4] },
      ),
    ).toBeNull();
    expect(
      await mismatch(tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] }), {
        shape: [2, 3],
        data: [1, 2, 3, 4, 5, 6],
      }),
    ).toBeNull();
  });

  it('takes axes without elements', () => {
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor(new Float32Array(0), { shape: [3, 0, 2] }).size).toBe(0);
  });

  it.each([
    ['numbers', [1, 0], 'float32'],
    ['booleans', [true, false], 'bool'],
    ['booleans among numbers', [true, 0], 'float32'],
    ['an Int32Array', Int32Array.of(1, 0), 'int32'],
    ['a Uint8Array', Uint8Array.of(1, 0), 'uint8'],
    ['a Uint8ClampedArray', Uint8ClampedArray.of(1, 0), 'uint8'],
    ['a Float32Array', Float32Array.of(1, 0), 'float32'],
    ['a Float64Array', Float64Array.of(1, 0), 'float32'],
    ['an Int16Array', Int16Array.of(1, 0), 'float32'],
  ] as const)('makes of %s the fitting dtype', async (_, values, dtype) => {
    const x = tensor(values);
    expect(x.dtype).toBe(dtype);
    expect([...(await x.data())]).toEqual([1, 0]);
  });

  it('converts to the dtype asked for', async () => {
    const x = tensor([1, -2], { dtype: 'int32' });
    expect(await x.data()).toEqual(Int32Array.of(1, -2));
    expect(tensor([0, 1], { dtype: 'bool' }).dtype).toBe('bool');
  });

  it('copies what it is given', async () => {
    const values = Float32Array.of(1, 2);
    const x = tensor(values);
    values[0] = 9;
    expect(await x.data()).toEqual(Float32Array.of(1, 2));
  });

  it.each([
    ['too short', [[1, 2], [3]], /ragged: element \[1\] has 1 elements; expected 2/],
    ['too long', [[1], [2, 3]], /ragged: element \[1\]/],
    [
      'too deep',
      [
        [1, 2],
        [3, [4]],
      ],
      /ragged: element \[1\]\[1\]/,
    ],
    ['too shallow', [[1, 2], 3], /ragged: element \[1\] is a number/],
    ['empty among others', [[1], []], /ragged/],
  ])('names the place where nested arrays are %s', (_, values, message) => {
    expect(() => tensor(values)).toThrow(ShapeError);
    expect(() => tensor(values)).toThrow(message);
  });

  it.each([
    ['a string', ['1'], /element \[0\] is a string/],
    ['null', [[1, null]], /element \[0\]\[1\] is null/],
    ['undefined', undefined, /the value is undefined/],
    ['a BigInt', [1n], /bigint/],
  ])('refuses %s', (_, values, message) => {
    expect(() => tensor(values as never)).toThrow(DataError);
    expect(() => tensor(values as never)).toThrow(message);
  });

  it('refuses values that do not fill the shape, and shapes that are none', () => {
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrow(/3 values .* \[2, 2\].* 4/);
    expect(() => tensor([1], { shape: [-1] })).toThrow(ShapeError);
    expect(() => tensor([1], { shape: [1, 1, 1, 1, 1, 1, 1] })).toThrow(/0 to 6/);
    expect(() => tensor([[[[[[[1]]]]]]])).toThrow(/0 to 6/);
  });

  it.each([
    ['int32', 1.5],
    ['int32', 2 ** 31],
    ['int32', NaN],
    ['uint8', -1],
    ['uint8', 256],
    ['bool', 2],
  ] as [Dtype, number][])('refuses for %s the value %d', (dtype, value) => {
    expect(() => tensor([0, value], { dtype })).toThrow(DataError);
    expect(() => tensor([0, value], { dtype })).toThrow(`element 1 is ${value}`);
  });

  it('goes to the backend it is told', () => {
    const meta = createMeta();
    expect(tensor([1], { backend: meta }).backend).toBe(meta);
    expect(zeros([2], { backend: meta }).backend).toBe(meta);
    expect(eye(2, { backend: meta }).backend).toBe(meta);
  });
});

describe('constants', () => {
  it('fill a shape', async () => {
    expect(await mismatch(zeros([2, 2]), { shape: [2, 2], data: [0, 0, 0, 0] })).toBeNull();
    expect(
      await mismatch(ones([3], { dtype: 'int32' }), { shape: [3], data: [1, 1, 1] }),
    ).toBeNull();
    expect(await mismatch(full([], 2.5), { shape: [], data: [2.5] })).toBeNull();
    expect(await mismatch(full([1], -Infinity), { shape: [1], data: [-Infinity] })).toBeNull();
  });

  it('take the place of another tensor', async () => {
    const x = tensor([5, 6], { dtype: 'int32', backend: createMeta() });
    for (const like of [zerosLike(x), onesLike(x), fullLike(x, 3)]) {
      expect(like).toMatchObject({ shape: [2], dtype: 'int32', backend: x.backend });
    }
  });

  it('refuse what the dtype cannot hold and shapes that are none', () => {
    expect(() => full([2], 0.5, { dtype: 'int32' })).toThrow(DtypeError);
    const dtype = 'float64' as Dtype;
    for (const make of [
      () => tensor([1], { dtype }),
      () => zeros([1], { dtype }),
      () => cast(tensor([1]), dtype),
    ]) {
      expect(make).toThrow(DtypeError);
      expect(make).toThrow(
        /there is no dtype 'float64'; expected one of float32, int32, uint8, bool/,
      );
    }
    expect(() => zeros([1.5])).toThrow(ShapeError);
    expect(() => zeros([2, -1])).toThrow(/^zeros: .*-1/);
  });
});

describe('ranges', () => {
  it.each([
    [{ stop: 4 }, [0, 1, 2, 3]],
    [{ start: 2, stop: 5 }, [2, 3, 4]],
    [{ start: 0, stop: 1, step: 0.25 }, [0, 0.25, 0.5, 0.75]],
    [{ start: 5, stop: 0, step: -2 }, [5, 3, 1]],
    [{ start: 3, stop: 3 }, []],
    [{ start: 3, stop: 0 }, []],
  ])('arange(%j) steps up to its stop', async (options, expected) => {
    expect(
      await mismatch(arange(options), { shape: [expected.length], data: expected }),
    ).toBeNull();
  });

  it('arange makes whole numbers where asked', async () => {
    expect(await arange({ stop: 3, dtype: 'int32' }).data()).toEqual(Int32Array.of(0, 1, 2));
    expect(() => arange({ stop: 1, step: 0.5, dtype: 'int32' })).toThrow(DataError);
    expect(() => arange({ stop: 1, step: 0 })).toThrow(ShapeError);
    expect(() => arange({ stop: Infinity })).toThrow(/Infinity/);
  });

  it('linspace ends where it is told', async () => {
    const x = await linspace({ start: -1, stop: 0.3, count: 14 }).data();
    expect(x[0]).toBe(-1);
    expect(x[13]).toBe(Math.fround(0.3));
    for (let i = 1; i < 14; i++) expect(x[i]! - x[i - 1]!).toBeCloseTo(0.1, 6);
    expect(
      await mismatch(linspace({ start: 2, stop: 9, count: 1 }), { shape: [1], data: [2] }),
    ).toBeNull();
    expect(linspace({ start: 2, stop: 9, count: 0 }).shape).toEqual([0]);
    expect(() => linspace({ start: 0, stop: 1, count: 1.5 })).toThrow(ShapeError);
  });

  it('eye has ones on its diagonal', async () => {
    expect(
      await mismatch(eye(2, { columns: 3 }), { shape: [2, 3], data: [1, 0, 0, 0, 1, 0] }),
    ).toBeNull();
    expect(await mismatch(eye(2), { shape: [2, 2], data: [1, 0, 0, 1] })).toBeNull();
    expect(() => eye(-1)).toThrow(ShapeError);
  });
});

describe('copies', () => {
  it('cast truncates towards 0 and makes truth of what is not 0', async () => {
    const x = tensor([-1.7, 0, 1.7]);
    expect(await cast(x, 'int32').data()).toEqual(Int32Array.of(-1, 0, 1));
    expect(await cast(x, 'bool').data()).toEqual(Uint8Array.of(1, 0, 1));
    expect(await cast(cast(x, 'bool'), 'float32').data()).toEqual(Float32Array.of(1, 0, 1));
  });

  it('pass gradients where the dtype stays, but for detached ones', async () => {
    const w = parameter(floats([2], [1, 2]));
    for (const copy of [clone, (x: typeof w) => cast(x, 'float32')]) {
      backward(sum(mul(copy(w), 3)));
      expect(await w.grad!.data()).toEqual(Float32Array.of(3, 3));
      w.clearGrad();
    }
    expect(detach(w).requiresGrad).toBe(false);
    expect(detach(mul(w, 2)).requiresGrad).toBe(false);
    expect(await detach(w).data()).toEqual(Float32Array.of(1, 2));
  });

  it('of a slot keep the value of their time', async () => {
    const w = parameter(floats([1], [1]));
    const copies = [clone(w), detach(w)];
    w.assign(floats([1], [5]));
    for (const copy of copies) expect(await copy.item()).toBe(1);
  });
});
