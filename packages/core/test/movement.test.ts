import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import * as ops from '../src/index.ts';
import { DtypeError, ShapeError, tensor, type Tensor } from '../src/index.ts';
import { mismatch, floats, ints, useJs } from './lab.ts';

beforeAll(useJs);

const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** Elements 0, 1, 2, ... under a shape: where each went tells everything. */
const numbered = (shape: readonly number[]): Tensor => floats(shape, upTo(count(shape)));

/** A result whose element at each index is the element of `numbered(from)` at the index that `source` gives. */
function picked(
  shape: readonly number[],
  from: readonly number[],
  source: (index: number[]) => number[],
): { shape: readonly number[]; data: number[] } {
  const data = upTo(count(shape)).map((flat) => {
    const index: number[] = [];
    for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return source(index).reduce((sum, i, axis) => sum * from[axis]! + i, 0);
  });
  return { shape, data };
}

describe('shapes', () => {
  it('reshape keeps the order of elements and fills in one length', async () => {
    for (const shape of [[6], [3, 2], [-1, 2], [1, 2, 3, -1]]) {
      const y = ops.reshape(numbered([2, 3]), shape);
      expect([...(await y.data())]).toEqual(upTo(6));
      expect(count(y.shape)).toBe(6);
    }
    expect(ops.reshape(numbered([2, 3]), [-1, 2]).shape).toEqual([3, 2]);
    expect(ops.reshape(ops.zeros([0, 3]), [-1, 3]).shape).toEqual([0, 3]);
  });

  it.each([
    [[4], /6 elements.*4/],
    [[-1, -1], /at most one -1/],
    [[-1, 4], /do not fit \[-1, 4\]/],
    [[-1, 0], /do not fit/],
    [[-2, -3], /lengths of a shape/],
  ])('reshape refuses %j', (shape, message) => {
    expect(() => ops.reshape(numbered([2, 3]), shape)).toThrow(ShapeError);
    expect(() => ops.reshape(numbered([2, 3]), shape)).toThrow(message);
  });

  it('flatten joins axes', () => {
    const x = numbered([2, 3, 4, 5]);
    expect(ops.flatten(x).shape).toEqual([2, 60]);
    expect(ops.flatten(x, { startAxis: 0 }).shape).toEqual([120]);
    expect(ops.flatten(x, { startAxis: 1, endAxis: -2 }).shape).toEqual([2, 12, 5]);
    expect(() => ops.flatten(x, { startAxis: 2, endAxis: 1 })).toThrow(/^flatten: startAxis 2/);
    expect(() => ops.flatten(numbered([2]))).toThrow(ShapeError);
  });

  it('squeeze and unsqueeze take axes of length 1 away and bring them', () => {
    const x = numbered([1, 3, 1]);
    expect(ops.squeeze(x).shape).toEqual([3]);
    expect(ops.squeeze(x, { axis: -1 }).shape).toEqual([1, 3]);
    expect(() => ops.squeeze(x, { axis: 1 })).toThrow(/^squeeze: axis 1 .*length 3; expected 1/);
    expect(ops.unsqueeze(x, { axis: 0 }).shape).toEqual([1, 1, 3, 1]);
    expect(ops.unsqueeze(numbered([3]), { axis: -1 }).shape).toEqual([3, 1]);
    expect(() => ops.unsqueeze(numbered([3]), { axis: 3 })).toThrow(/^unsqueeze: axis 3/);
  });

  it('broadcastTo repeats', async () => {
    const from = [3, 1];
    expect(
      await mismatch(
        ops.broadcastTo(numbered(from), [2, 3, 4]),
        picked([2, 3, 4], from, ([, i]) => [i!, 0]),
      ),
    ).toBeNull();
    expect(() => ops.broadcastTo(numbered([3]), [2])).toThrow(/^broadcastTo: \[3\].*\[2\]/);
  });
});

describe('order', () => {
  it('permute puts axes in any order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 5 }).chain((shape) =>
          fc.record({
            shape: fc.constant(shape),
            axes: fc.shuffledSubarray(upTo(shape.length), { minLength: shape.length }),
          }),
        ),
        async ({ shape, axes }) => {
          const result = axes.map((axis) => shape[axis]!);
          expect(
            await mismatch(
              ops.permute(numbered(shape), axes),
              picked(result, shape, (index) => shape.map((_, axis) => index[axes.indexOf(axis)]!)),
            ),
          ).toBeNull();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('permute counts from the end too and refuses what is no order', () => {
    expect(ops.permute(numbered([2, 3, 4]), [-1, 0, 1]).shape).toEqual([4, 2, 3]);
    expect(() => ops.permute(numbered([2, 3]), [0, 0])).toThrow(/^permute: \[0, 0\] is no order/);
    expect(() => ops.permute(numbered([2, 3]), [0])).toThrow(ShapeError);
    expect(() => ops.permute(numbered([2, 3]), [0, 2])).toThrow(/^permute: axis 2/);
  });

  it('transpose exchanges two axes', async () => {
    const shape = [2, 3, 4];
    expect(
      await mismatch(
        ops.transpose(numbered(shape)),
        picked([2, 4, 3], shape, ([i, j, k]) => [i!, k!, j!]),
      ),
    ).toBeNull();
    expect(ops.transpose(numbered(shape), { axes: [0, -1] }).shape).toEqual([4, 3, 2]);
    expect(() => ops.transpose(numbered([3]))).toThrow(/^transpose: axis -2/);
  });

  it('flip reverses', async () => {
    const shape = [2, 3];
    expect(
      await mismatch(
        ops.flip(numbered(shape), { axes: [0, -1] }),
        picked(shape, shape, ([i, j]) => [1 - i!, 2 - j!]),
      ),
    ).toBeNull();
    expect(
      await mismatch(ops.flip(numbered(shape), { axes: [] }), { shape, data: upTo(6) }),
    ).toBeNull();
    expect(() => ops.flip(numbered(shape), { axes: 2 })).toThrow(/^flip: axis 2/);
  });

  it.each([
    [1, 0],
    [-1, 1],
    [7, 1],
    [0, 1],
    [-8, 0],
  ])('roll by %i along axis %i goes round', async (shifts, axis) => {
    const shape = [4, 3];
    const n = shape[axis]!;
    expect(
      await mismatch(
        ops.roll(numbered(shape), { shifts, axes: axis }),
        picked(shape, shape, (index) =>
          index.map((i, a) => (a === axis ? (((i - shifts) % n) + n) % n : i)),
        ),
      ),
    ).toBeNull();
  });

  it('roll takes several axes, and one shift for each', async () => {
    const shape = [2, 3];
    expect(
      await mismatch(
        ops.roll(numbered(shape), { shifts: [1, 1], axes: [0, 1] }),
        picked(shape, shape, ([i, j]) => [(i! + 1) % 2, (j! + 2) % 3]),
      ),
    ).toBeNull();
    expect(() => ops.roll(numbered(shape), { shifts: [1, 2], axes: 0 })).toThrow(/^roll: shifts/);
    expect(ops.roll(ops.zeros([0]), { shifts: 3, axes: 0 }).shape).toEqual([0]);
  });

  it('repeat lays tiles', async () => {
    const shape = [2, 3];
    expect(
      await mismatch(
        ops.repeat(numbered(shape), [2, 3]),
        picked([4, 9], shape, ([i, j]) => [i! % 2, j! % 3]),
      ),
    ).toBeNull();
    const many = [1, 2, 1, 2, 1, 2];
    expect(
      await mismatch(
        ops.repeat(numbered(many), [2, 1, 3, 2, 1, 2]),
        picked([2, 2, 3, 4, 1, 4], many, ([, b, , d, , f]) => [0, b!, 0, d! % 2, 0, f! % 2]),
      ),
    ).toBeNull();
    expect(ops.repeat(numbered(shape), [0, 1]).shape).toEqual([0, 3]);
    expect(() => ops.repeat(numbered(shape), [2])).toThrow(/^repeat: repeats \[2\]/);
    expect(() => ops.repeat(numbered(shape), [2, 0.5])).toThrow(ShapeError);
  });
});

describe('joining', () => {
  it('concat puts one after another', async () => {
    const [a, b] = [floats([2, 1], [1, 2]), floats([2, 2], [3, 4, 5, 6])];
    expect(
      await mismatch(ops.concat([a, b], { axis: -1 }), {
        shape: [2, 3],
        data: [1, 3, 4, 2, 5, 6],
      }),
    ).toBeNull();
    expect(ops.concat([b, b, b]).shape).toEqual([6, 2]);
  });

  it('stack makes a new axis', async () => {
    const [a, b] = [floats([2], [1, 2]), floats([2], [3, 4])];
    expect(await mismatch(ops.stack([a, b]), { shape: [2, 2], data: [1, 2, 3, 4] })).toBeNull();
    expect(
      await mismatch(ops.stack([a, b], { axis: -1 }), { shape: [2, 2], data: [1, 3, 2, 4] }),
    ).toBeNull();
    expect(ops.stack([tensor(1), tensor(2)]).shape).toEqual([2]);
  });

  it('name what does not fit', () => {
    const [a, b] = [floats([2], 1), floats([3, 1], 1)];
    expect(() => ops.concat([])).toThrow(/^concat: expected at least one tensor/);
    expect(() => ops.stack([])).toThrow(/^stack: expected at least one tensor/);
    expect(() => ops.concat([a, b])).toThrow(/^concat: tensor 1 has shape \[3, 1\]/);
    expect(() => ops.stack([a, b])).toThrow(/^stack: tensor 1 has shape \[3, 1\].*\[2\]/);
    expect(() => ops.concat([a, tensor([1], { dtype: 'int32' })])).toThrow(DtypeError);
    expect(() => ops.concat([a], { axis: 1 })).toThrow(/^concat: axis 1/);
  });
});

describe('indexing', () => {
  it('gather picks single elements', async () => {
    const indices = [2, 0, 1, 1];
    expect(
      await mismatch(
        ops.gather(numbered([2, 3]), ints([2, 2], indices), { axis: -1 }),
        picked([2, 2], [2, 3], ([i, j]) => [i!, indices[i! * 2 + j!]!]),
      ),
    ).toBeNull();
  });

  it('take picks whole slices', async () => {
    const indices = [2, 0, 2, 1];
    expect(
      await mismatch(
        ops.take(numbered([2, 3, 2]), ints([4], indices), { axis: 1 }),
        picked([2, 4, 2], [2, 3, 2], ([i, j, k]) => [i!, indices[j!]!, k!]),
      ),
    ).toBeNull();
    expect(ops.take(numbered([3, 2]), ints([0], [])).shape).toEqual([0, 2]);
    expect(() => ops.take(numbered([3]), ints([1, 1], [0]))).toThrow(/^take: .*\[1, 1\].*gather/);
  });

  it('scatterAdd adds where indices repeat', async () => {
    const y = ops.scatterAdd(
      ops.ones([2, 3]),
      ints([2, 2], [0, 0, 2, 1]),
      floats([2, 2], [1, 2, 3, 4]),
      {
        axis: 1,
      },
    );
    expect(await mismatch(y, { shape: [2, 3], data: [4, 1, 1, 1, 5, 4] })).toBeNull();
  });

  it('names indices that do not fit', () => {
    const x = numbered([2, 3]);
    expect(() => ops.gather(x, floats([2, 1], 1), { axis: 1 })).toThrow(DtypeError);
    expect(() => ops.gather(x, ints([3, 1], [0, 0, 0]), { axis: 1 })).toThrow(
      /^gather: indices \[3, 1\]/,
    );
    expect(() => ops.gather(x, ints([2, 1], [0, 0]), { axis: 2 })).toThrow(/^gather: axis 2/);
    expect(() => ops.scatterAdd(x, ints([2, 1], [0, 0]), floats([2, 2], 1), { axis: 1 })).toThrow(
      ShapeError,
    );
  });

  it('oneHot marks classes', async () => {
    expect(
      await mismatch(ops.oneHot(ints([3], [1, 0, 5]), { numClasses: 2 }), {
        shape: [3, 2],
        data: [0, 1, 1, 0, 0, 0],
      }),
    ).toBeNull();
    expect(ops.oneHot(ints([2, 2], [0, 0, 0, 0]), { numClasses: 3 }).shape).toEqual([2, 2, 3]);
    expect(() => ops.oneHot(floats([1], [0]), { numClasses: 2 })).toThrow(DtypeError);
    expect(() => ops.oneHot(floats([1], [0]), { numClasses: 2 })).toThrow(/^oneHot: the labels/);
    for (const numClasses of [-1, 1.5]) {
      expect(() => ops.oneHot(ints([1], [0]), { numClasses })).toThrow(ShapeError);
      expect(() => ops.oneHot(ints([1], [0]), { numClasses })).toThrow(/^oneHot: numClasses/);
    }
  });
});

describe('slice and split', () => {
  it('slice agrees with stepping through each axis', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            length: fc.integer({ min: 0, max: 5 }),
            a: fc.nat({ max: 5 }),
            b: fc.nat({ max: 5 }),
            step: fc.integer({ min: 1, max: 3 }),
            fromEnd: fc.boolean(),
          }),
          { minLength: 1, maxLength: 3 },
        ),
        async (axes) => {
          const shape = axes.map(({ length }) => length);
          const bounds = axes.map(({ length, a, b }) => [Math.min(a, length), Math.min(b, length)]);
          const chosen = axes.map(({ step }, axis) => {
            const list: number[] = [];
            for (let i = bounds[axis]![0]!; i < bounds[axis]![1]!; i += step) list.push(i);
            return list;
          });
          // The same place, counted from the end where that can be said.
          const said = (at: number, axis: number): number =>
            axes[axis]!.fromEnd && at < shape[axis]! ? at - shape[axis]! : at;
          const y = ops.slice(numbered(shape), {
            starts: bounds.map(([start], axis) => said(start!, axis)),
            ends: bounds.map(([, end], axis) => said(end!, axis)),
            steps: axes.map(({ step }) => step),
          });
          const result = chosen.map((list) => list.length);
          expect(
            await mismatch(
              y,
              picked(result, shape, (index) => index.map((i, axis) => chosen[axis]![i]!)),
            ),
          ).toBeNull();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('slice leaves axes that are not named whole', async () => {
    expect(
      await mismatch(ops.slice(numbered([3, 2]), { starts: [1] }), {
        shape: [2, 2],
        data: [2, 3, 4, 5],
      }),
    ).toBeNull();
    expect(
      await mismatch(ops.slice(numbered([5]), { starts: [-2] }), { shape: [2], data: [3, 4] }),
    ).toBeNull();
  });

  it.each([
    [{ starts: [4] }, /start 4 is out of range for a length of 3/],
    [{ starts: [-4] }, /start -4/],
    [{ starts: [0], ends: [4] }, /end 4/],
    [{ starts: [0], steps: [0] }, /steps must be whole numbers >= 1.*flip\(\)/],
    [{ starts: [0], steps: [-1] }, /flip\(\)/],
    [{ starts: [0, 0, 0] }, /more entries/],
    [{ starts: [0.5] }, /start 0.5/],
  ])('slice refuses %j', (options, message) => {
    expect(() => ops.slice(numbered([3, 2]), options)).toThrow(ShapeError);
    expect(() => ops.slice(numbered([3, 2]), options)).toThrow(message);
  });

  it('split cuts by sizes or into equal sections', async () => {
    const [a, b] = ops.split(numbered([2, 3]), { sizes: [1, 2], axis: 1 });
    expect(await mismatch(a!, { shape: [2, 1], data: [0, 3] })).toBeNull();
    expect(await mismatch(b!, { shape: [2, 2], data: [1, 2, 4, 5] })).toBeNull();
    const rows = ops.split(numbered([4, 2]), { sections: 2 });
    expect(rows.map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 2],
    ]);
    expect(ops.split(numbered([2]), { sizes: [0, 2] })[0]!.shape).toEqual([0]);
  });

  it('split names what does not add up', () => {
    const x = numbered([2, 3]);
    expect(() => ops.split(x, { sizes: [1, 1], axis: 1 })).toThrow(
      /^split: sizes \[1, 1\].*length is 3/,
    );
    expect(() => ops.split(x, { sections: 2, axis: 1 })).toThrow(/^split: 2 sections/);
    expect(() => ops.split(x, { sizes: [-1, 4], axis: 1 })).toThrow(ShapeError);
    expect(() => ops.split(x, {})).toThrow(/either sizes or sections/);
    expect(() => ops.split(x, { sizes: [2], sections: 1 })).toThrow(ShapeError);
  });
});

describe('pad', () => {
  /** The source of a place along an axis, or null where a constant goes. */
  const sources = {
    constant: (i: number, n: number) => (i >= 0 && i < n ? i : null),
    reflect: (i: number, n: number) => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i),
    replicate: (i: number, n: number) => Math.min(Math.max(i, 0), n - 1),
    circular: (i: number, n: number) => (i + n) % n,
  } as const;
  const modes = Object.keys(sources) as (keyof typeof sources)[];

  it.each(modes)('by %s puts elements at the edges and crops', async (mode) => {
    const pair = fc.tuple(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -2, max: 2 }));
    await fc.assert(
      fc.asyncProperty(pair, pair, async (rows, columns) => {
        const from = [5, 4];
        const padding = [rows, columns];
        const shape = from.map((n, axis) => n + padding[axis]![0] + padding[axis]![1]);
        const expected = picked(shape, from, (index) => {
          const at = index.map((i, axis) => sources[mode](i - padding[axis]![0], from[axis]!));
          return at.includes(null) ? [0, -1] : (at as number[]);
        });
        expect(
          await mismatch(ops.pad(numbered(from), { padding, mode, value: -1 }), expected),
        ).toBeNull();
      }),
      { numRuns: 40 },
    );
  });

  it('leaves leading axes alone that are left out', async () => {
    expect(
      await mismatch(ops.pad(numbered([2, 1]), { padding: [[1, 0]] }), {
        shape: [2, 2],
        data: [0, 0, 0, 1],
      }),
    ).toBeNull();
    const whole = ops.pad(tensor([7], { dtype: 'int32' }), { padding: [[0, 1]], value: -3 });
    expect(await whole.data()).toEqual(Int32Array.of(7, -3));
  });

  it('can crop down to nothing', () => {
    expect(ops.pad(numbered([3]), { padding: [[-1, -2]] }).shape).toEqual([0]);
  });

  it.each([
    [
      {
        padding: [
          [1, 1],
          [1, 1],
        ],
      },
      /at most 1 pairs/,
    ],
    [{ padding: [[0.5, 1]] }, /whole numbers/],
    [{ padding: [[3, 0]], mode: 'reflect' }, /'reflect' can put at most 2/],
    [{ padding: [[0, 4]], mode: 'circular' }, /'circular' can put at most 3/],
    [{ padding: [[-2, -2]] }, /crops more than the 3 elements/],
    [{ padding: [[-4, 6]] }, /crops more/],
    [
      { padding: [[1, 1]], mode: 'symmetric' as ops.PadMode },
      /mode must be one of constant, .*; got symmetric/,
    ],
  ] as [ops.PadOptions, RegExp][])('refuses %j', (options, message) => {
    expect(() => ops.pad(numbered([3]), options)).toThrow(ShapeError);
    expect(() => ops.pad(numbered([3]), options)).toThrow(message);
    expect(() => ops.pad(ops.zeros([0]), { padding: [[1, 0]], mode: 'replicate' })).toThrow(
      /at most 0/,
    );
  });
});
