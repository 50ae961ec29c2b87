import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  contiguousStrides,
  planBroadcastTo,
  planConcat,
  planFlip,
  planMove,
  planPad,
  planPermute,
  planSlice,
  type ElementBytes,
  type Placed,
} from '../../src/kernels/movement.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectSame } from './close.ts';

type Elements = Int32Array | Uint8Array;

const shapes = fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 6 });
const elementBytes = fc.constantFrom<ElementBytes>(4, 1);
const orders = fc.constantFrom('ascending' as const, 'descending' as const);

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** All indices of `shape` in C order. */
function indicesOf(shape: readonly number[]): number[][] {
  return Array.from({ length: sizeOf(shape) }, (_, flat) =>
    contiguousStrides(shape).map((stride, axis) => Math.floor(flat / stride) % shape[axis]!),
  );
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function numbered(size: number, bytes: ElementBytes): Elements {
  const array = bytes === 4 ? new Int32Array(size) : new Uint8Array(size);
  return array.map((_, i) => i * 7 + 1);
}

describe.each(['fma', 'base'] as const)('movement kernels, build %s', (build) => {
  /** Plans with x in C order, or stored with its axes in reverse, and compares with the element that `source` names. */
  function expectDefinition(
    one: {
      readonly shape: readonly number[];
      readonly out: readonly number[];
      readonly bytes: ElementBytes;
      readonly order: 'ascending' | 'descending';
      readonly reversed?: boolean;
    },
    plan: (harness: KernelHarness, x: Placed, y: number) => void,
    source: (index: readonly number[]) => readonly number[] | null,
    other = 0,
  ): void {
    const { shape, out, bytes, order, reversed = false } = one;
    const harness = new KernelHarness({ build, threads: 3, megabytes: 16 });
    harness.order = order;
    const data = numbered(sizeOf(shape), bytes);
    const strides = reversed
      ? contiguousStrides(shape.toReversed()).toReversed()
      : contiguousStrides(shape);
    const address = harness.put(data as Int32Array<ArrayBuffer>);
    const count = sizeOf(out);
    const y = harness.allocate(count * bytes);
    plan(harness, reversed ? { address, shape, strides } : { address, shape }, y);
    const expected = indicesOf(out).map((index) => {
      const from = source(index);
      return from ? data[dot(from, strides)]! : other;
    });
    const actual = bytes === 4 ? harness.i32(y, count) : harness.u8(y, count);
    expectSame(actual, expected);
    harness.expectUntouchedAround(y, count * bytes);
  }

  const common = { bytes: elementBytes, order: orders, reversed: fc.boolean() };

  test('permute orders the axes anew', () => {
    expect.hasAssertions();
    const cases = shapes.chain((shape) =>
      fc.record({
        ...common,
        shape: fc.constant(shape),
        permutation: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ permutation, ...one }) => {
        expectDefinition(
          { ...one, out: permutation.map((axis) => one.shape[axis]!) },
          (e, x, y) => planPermute(e, { x, y, elementBytes: one.bytes, permutation }),
          (index) => one.shape.map((_, axis) => index[permutation.indexOf(axis)]!),
        );
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    [2, 3, 1000],
    [1, 130, 77],
    [3, 64, 49],
    [1, 1, 9],
    [2, 257, 3],
  ] as const)('planes become pixels and planes again: %i x %i x %i', (n, c, plane) => {
    expect.hasAssertions();
    for (const bytes of [4, 1] as const) {
      const one = { bytes, order: 'descending' as const };
      const permutation = [0, 2, 1];
      for (const [rows, columns] of [
        [c, plane],
        [plane, c],
      ] as const) {
        expectDefinition(
          { ...one, shape: [n, rows, columns], out: [n, columns, rows] },
          (e, x, y) => planPermute(e, { x, y, elementBytes: bytes, permutation }),
          ([image, column, row]) => [image!, row!, column!],
        );
      }
    }
  });

  test('broadcastTo repeats along axes of length 1 and new ones', () => {
    expect.hasAssertions();
    const cases = shapes.chain((out) =>
      fc.record({
        ...common,
        out: fc.constant(out),
        lead: fc.nat(out.length),
        ones: fc.array(fc.boolean(), { minLength: out.length, maxLength: out.length }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ out, lead, ones, ...one }) => {
        const shape = out.slice(lead).map((length, axis) => (ones[axis] ? 1 : length));
        expectDefinition(
          { ...one, shape, out },
          (e, x, y) => planBroadcastTo(e, { x, y, elementBytes: one.bytes, shape: out }),
          (index) => shape.map((length, axis) => (length === 1 ? 0 : index[axis + lead]!)),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('slice takes every step-th element from its start on', () => {
    expect.hasAssertions();
    const axis = fc
      .tuple(fc.nat(3), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }), fc.nat(2))
      .map(([start, size, step, beyond]) => {
        return { start, size, step, length: start + (size - 1) * step + 1 + beyond };
      });
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 5 }), fc.record(common), (axes, one) => {
        const starts = axes.map(({ start }) => start);
        const steps = axes.map(({ step }) => step);
        const sizes = axes.map(({ size }) => size);
        expectDefinition(
          { ...one, shape: axes.map(({ length }) => length), out: sizes },
          (e, x, y) => planSlice(e, { x, y, elementBytes: one.bytes, starts, sizes, steps }),
          (index) => index.map((i, at) => starts[at]! + i * steps[at]!),
        );
      }),
      { numRuns: 50 },
    );
  });

  test('flip reverses axes', () => {
    expect.hasAssertions();
    const cases = shapes.chain((shape) =>
      fc.record({
        ...common,
        shape: fc.constant(shape),
        axes: shape.length === 0 ? fc.constant([]) : fc.array(fc.nat(shape.length - 1)),
      }),
    );
    fc.assert(
      fc.property(cases, ({ axes, ...one }) => {
        expectDefinition(
          { ...one, out: one.shape },
          (e, x, y) => planFlip(e, { x, y, elementBytes: one.bytes, axes }),
          (index) => {
            const turned = [...index];
            for (const axis of axes) turned[axis] = one.shape[axis]! - 1 - turned[axis]!;
            return turned;
          },
        );
      }),
      { numRuns: 50 },
    );
  });

  test('pad puts its value before, after and between elements', () => {
    expect.hasAssertions();
    const axis = fc.record({
      length: fc.integer({ min: 1, max: 5 }),
      before: fc.nat(2),
      after: fc.nat(2),
      interior: fc.nat(2),
    });
    fc.assert(
      fc.property(fc.array(axis, { maxLength: 4 }), fc.record(common), (axes, one) => {
        const [before, after, interior] = (['before', 'after', 'interior'] as const).map((name) =>
          axes.map((it) => it[name]),
        ) as [number[], number[], number[]];
        const out = axes.map((it) => {
          return it.before + it.length + (it.length - 1) * it.interior + it.after;
        });
        const dtype = one.bytes === 4 ? ('int32' as const) : ('uint8' as const);
        expectDefinition(
          { ...one, shape: axes.map(({ length }) => length), out },
          (e, x, y) => planPad(e, { x, y, dtype, before, after, interior, value: 99 }),
          (index) => {
            const from = index.map((i, at) => (i - before[at]!) / (interior[at]! + 1));
            const inside = from.every((i, at) => {
              return Number.isInteger(i) && i >= 0 && i < axes[at]!.length;
            });
            return inside ? from : null;
          },
          99,
        );
      }),
      { numRuns: 50 },
    );
  });

  test('concat lays tensors one after another', () => {
    expect.hasAssertions();
    const cases = fc
      .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 })
      .chain((shape) =>
        fc.record({
          shape: fc.constant(shape),
          axis: fc.nat(shape.length - 1),
          lengths: fc.array(fc.nat(5), { minLength: 1, maxLength: 4 }),
          bytes: elementBytes,
          order: orders,
        }),
      );
    fc.assert(
      fc.property(cases, ({ shape, axis, lengths, bytes, order }) => {
        // All tensors are slices of one, along the axis.
        const total = lengths.reduce((a, b) => a + b, 0);
        fc.pre(total > 0);
        const whole = shape.map((length, at) => (at === axis ? total : length));
        const strides = contiguousStrides(whole);
        expectDefinition(
          { shape: whole, out: whole, bytes, order },
          (e, x, y) => {
            let at = 0;
            const xs = lengths.map((length): Placed => {
              const address = x.address + at * strides[axis]! * bytes;
              at += length;
              return { address, strides, shape: whole.with(axis, length) };
            });
            planConcat(e, { xs, y, elementBytes: bytes, axis });
          },
          (index) => index,
        );
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ['one value over a long row', [1], [40_001]],
    ['a row over many', [1, 17_001], [3, 17_001]],
    ['a column over rows', [5, 1], [5, 9001]],
  ] as const)('large copies in many chunks: %s', (_, shape, out) => {
    expect.hasAssertions();
    for (const bytes of [4, 1] as const) {
      expectDefinition(
        { shape, out, bytes, order: 'descending' },
        (e, x, y) => planBroadcastTo(e, { x, y, elementBytes: bytes, shape: out }),
        (index) => index.map((i, axis) => (shape[axis] === 1 ? 0 : i)),
      );
    }
  });

  test('moves into a strided target leave what lies between', () => {
    const harness = new KernelHarness({ build });
    const from = harness.put(Int32Array.from({ length: 6 }, (_, i) => i + 1));
    const to = harness.put(new Int32Array(20).fill(-1));
    planMove(harness, {
      shape: [2, 3],
      elementBytes: 4,
      from,
      fromStrides: [3, 1],
      to,
      toStrides: [10, 3],
    });
    const expected = new Int32Array(20).fill(-1);
    [0, 3, 6, 10, 13, 16].forEach((at, i) => (expected[at] = i + 1));
    expect(harness.i32(to, 20)).toEqual(expected);
  });
});
