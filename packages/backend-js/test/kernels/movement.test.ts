import { allocate, sizeOf, type Dtype, type Shape } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { Value } from '../../src/kernel.ts';
import {
  at,
  bool,
  defined,
  dtypes,
  float,
  pseudoRandom,
  run,
  runDecomposed,
  shapes,
} from '../computing.ts';

/** 0, 1, 2, ... so that every element tells where it came from (modulo 2 in a bool). */
function counted(shape: Shape, dtype: Dtype = 'float32'): Value {
  const data = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = dtype === 'bool' ? i % 2 : i;
  return { spec: { shape, dtype }, data };
}

const anyDtype = fc.constantFrom(...dtypes);
const runs = { numRuns: 60 };

test('permute moves every axis of every dtype', () => {
  fc.assert(
    fc.property(
      shapes(5).chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
        ),
      ),
      anyDtype,
      ([shape, permutation], dtype) => {
        const x = counted(shape, dtype);
        const expected = defined(
          { shape: permutation.map((axis) => shape[axis]!), dtype },
          (index) =>
            at(
              x,
              shape.map((_, axis) => index[permutation.indexOf(axis)]!),
            ),
        );
        expect(run('permute', { permutation }, x)).toEqual([expected]);
      },
    ),
    runs,
  );
});

test('permute transposes planes larger than its tiles', () => {
  const x = counted([2, 45, 70]);
  const [y] = run('permute', { permutation: [0, 2, 1] }, x);
  expect(y).toEqual(
    defined({ shape: [2, 70, 45], dtype: 'float32' }, ([n, i, j]) => at(x, [n!, j!, i!])),
  );
  expect(run('permute', { permutation: [0, 2, 1] }, y!)).toEqual([x]);
});

test('broadcastTo repeats along new axes and axes of length 1', () => {
  fc.assert(
    fc.property(
      shapes(5),
      fc.nat(5),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      anyDtype,
      (shape, from, ones, dtype) => {
        const own = shape.slice(from).map((length, axis) => (ones[axis] ? 1 : length));
        const x = counted(own, dtype);
        expect(run('broadcastTo', { shape }, x)).toEqual([
          defined({ shape, dtype }, (index) => at(x, index)),
        ]);
      },
    ),
    runs,
  );
});

const boxes = shapes(4, 1).chain((shape) =>
  fc
    .tuple(
      ...shape.map((length) =>
        fc
          .tuple(fc.nat(length - 1), fc.integer({ min: 1, max: 3 }))
          .chain(([start, step]) =>
            fc
              .nat(Math.ceil((length - start) / step))
              .map((size) => ({ length, start, step, size })),
          ),
      ),
    )
    .map((axes) => axes as { length: number; start: number; step: number; size: number }[]),
);

test('slice takes any box with any steps', () => {
  fc.assert(
    fc.property(boxes, anyDtype, (axes, dtype) => {
      const x = counted(
        axes.map(({ length }) => length),
        dtype,
      );
      const attributes = {
        starts: axes.map(({ start }) => start),
        sizes: axes.map(({ size }) => size),
        steps: axes.map(({ step }) => step),
      };
      const expected = defined({ shape: attributes.sizes, dtype }, (index) =>
        at(
          x,
          index.map((i, axis) => axes[axis]!.start + i * axes[axis]!.step),
        ),
      );
      expect(run('slice', attributes, x)).toEqual([expected]);
    }),
    runs,
  );
});

const paddings = shapes(4).chain((shape) =>
  fc.tuple(
    fc.constant(shape),
    ...[0, 1, 2].map(() =>
      fc.array(fc.nat(2), { minLength: shape.length, maxLength: shape.length }),
    ),
  ),
);

test('pad puts a value before, after and between', () => {
  fc.assert(
    fc.property(
      paddings,
      anyDtype,
      fc.constantFrom(0, 1, 7),
      ([shape, before, after, interior], dtype, value) => {
        const x = counted(shape!, dtype);
        const padded = shape!.map(
          (n, axis) => before![axis]! + after![axis]! + n + Math.max(n - 1, 0) * interior![axis]!,
        );
        const filling = dtype === 'bool' ? Number(value !== 0) : value;
        const expected = defined({ shape: padded, dtype }, (index) => {
          const source = index.map((i, axis) => (i - before![axis]!) / (interior![axis]! + 1));
          const inside = source.every(
            (i, axis) => Number.isInteger(i) && i >= 0 && i < shape![axis]!,
          );
          return inside ? at(x, source) : filling;
        });
        const attributes = { before: before!, after: after!, interior: interior!, value };
        expect(run('pad', attributes, x)).toEqual([expected]);
      },
    ),
    runs,
  );
});

test('flip turns any axes round, as its decomposition does', () => {
  fc.assert(
    fc.property(
      shapes(4, 1).chain((shape) => fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()]))),
      ([shape, axes]) => {
        const x = counted(shape);
        const expected = defined(x.spec, (index) =>
          at(
            x,
            index.map((i, axis) => (axes.includes(axis) ? shape[axis]! - 1 - i : i)),
          ),
        );
        expect(run('flip', { axes }, x)).toEqual([expected]);
        expect(runDecomposed('flip', { axes }, x)).toEqual([expected]);
      },
    ),
    runs,
  );
});

test('flip of an axis named twice turns it back', () => {
  const x = counted([2, 3]);
  expect(run('flip', { axes: [1, 1] }, x)).toEqual([x]);
});

test('concat joins along any axis, empty parts included', () => {
  fc.assert(
    fc.property(
      shapes(4)
        .filter((shape) => shape.length > 0)
        .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1))),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }),
      anyDtype,
      ([shape, axis], lengths, dtype) => {
        const parts = lengths.map((length) => counted(shape.with(axis, length), dtype));
        const total = lengths.reduce((a, b) => a + b, 0);
        const expected = defined({ shape: shape.with(axis, total), dtype }, (index) => {
          let [part, i] = [0, index[axis]!];
          while (i >= lengths[part]!) i -= lengths[part++]!;
          return at(parts[part]!, index.with(axis, i));
        });
        expect(run('concat', { axis }, ...parts)).toEqual([expected]);
      },
    ),
    runs,
  );
});

describe('copies', () => {
  test('keep every bit, NaN payloads included', () => {
    const words = Uint32Array.of(0x7fc00001, 0xffc12345, 0x80000000, 0x7f800001, 1, 0xff800000);
    const data = new Float32Array(words.buffer);
    const x: Value = { spec: { shape: [2, 3], dtype: 'float32' }, data };
    const [y] = run('permute', { permutation: [1, 0] }, x);
    const [back] = run('permute', { permutation: [1, 0] }, y!);
    expect(new Uint32Array(back!.data.buffer)).toEqual(words);
  });
});

describe('reshape', () => {
  test('keeps the elements in order', () => {
    const x = counted([2, 3, 4]);
    const [y] = run('reshape', { shape: [4, 6] }, x);
    expect(y).toEqual(counted([4, 6]));
  });
});

describe('cast', () => {
  const x = float([0, -0, 0.4, 1.9, -1.9, 300, 2 ** 31, -3e9, NaN, Infinity]);
  test('truncates to int32, and wraps', () => {
    const expected = Array.from(x.data, (value) => value | 0);
    expect([...run('cast', { dtype: 'int32' }, x)[0]!.data]).toEqual(expected);
  });
  test('truncates to uint8, and wraps', () => {
    const expected = Array.from(x.data, (value) => value & 255);
    expect([...run('cast', { dtype: 'uint8' }, x)[0]!.data]).toEqual(expected);
  });
  test('to bool is whether it is not 0', () => {
    expect([...run('cast', { dtype: 'bool' }, x)[0]!.data]).toEqual([0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  });
  test('of bools and bytes gives their numbers', () => {
    const y = bool([0, 1, 1]);
    for (const dtype of dtypes) {
      const [cast] = run('cast', { dtype }, y);
      expect(cast!.spec.dtype).toBe(dtype);
      expect([...cast!.data]).toEqual([0, 1, 1]);
    }
  });
  test('to the same dtype is the same', () => {
    expect(run('cast', { dtype: 'int32' }, pseudoRandom([5], 1, 'int32'))).toEqual([
      pseudoRandom([5], 1, 'int32'),
    ]);
  });
});
