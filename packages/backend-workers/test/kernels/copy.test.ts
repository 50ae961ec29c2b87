import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { f32 } from '../../src/encoder.ts';
import { planCopy, planFill, planStridedCopy, planTranspose } from '../../src/kernels/copy.ts';
import { KernelHarness } from '../kernel-harness.ts';

type Elements = Int32Array<ArrayBufferLike> | Uint8Array<ArrayBufferLike>;

/** The element at each index of `shape`, walking `strides`: the definition. */
function walk(source: Elements, shape: readonly number[], strides: readonly number[]): number[] {
  if (shape.length === 0) return [source[0]!];
  return Array.from({ length: shape[0]! }, (_, i) =>
    walk(source.subarray(i * strides[0]!) as Elements, shape.slice(1), strides.slice(1)),
  ).flat();
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
}

/** Shapes with an order of their axes, as a permutation reads them. */
const permutations = fc
  .array(fc.integer({ min: 1, max: 9 }), { minLength: 0, maxLength: 6 })
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      order: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
    }),
  );

describe.each(['fma', 'base'] as const)('copy kernels, build %s', (build) => {
  test('fill sets every element and nothing else', () => {
    const harness = new KernelHarness({ build });
    for (const count of [0, 1, 3, 32_768, 70_001]) {
      const words = harness.allocate(count * 4);
      planFill(harness, { to: words, count, bits: f32(-0.5), elementBytes: 4 });
      expect(harness.f32(words, count).every((x) => x === -0.5)).toBe(true);
      harness.expectUntouchedAround(words, count * 4);
      const bytes = harness.allocate(count * 3);
      planFill(harness, { to: bytes, count: count * 3, bits: 9, elementBytes: 1 });
      expect(harness.u8(bytes, count * 3).every((x) => x === 9)).toBe(true);
      harness.expectUntouchedAround(bytes, count * 3);
    }
  });

  test('copy moves bytes of any number', () => {
    const harness = new KernelHarness({ build });
    for (const length of [0, 1, 131_072, 300_001]) {
      const source = Uint8Array.from({ length }, (_, i) => i * 7);
      const to = harness.allocate(length);
      planCopy(harness, { from: harness.put(source), to, bytes: length });
      expect(harness.u8(to, length)).toEqual(source);
      harness.expectUntouchedAround(to, length);
    }
  });

  test('every permutation puts each element where its indices say', () => {
    fc.assert(
      fc.property(permutations, fc.constantFrom(1, 4), ({ shape, order }, elementBytes) => {
        const harness = new KernelHarness({ build, megabytes: 24 });
        harness.order = 'descending';
        const count = shape.reduce((a, b) => a * b, 1);
        const source =
          elementBytes === 4
            ? Int32Array.from({ length: count }, (_, i) => i * 1_000_003)
            : Uint8Array.from({ length: count }, (_, i) => i);
        const strides = contiguous(shape);
        const view = {
          shape: order.map((axis) => shape[axis]!),
          strides: order.map((axis) => strides[axis]!),
        };
        const to = harness.allocate(source.byteLength);
        const from = harness.put(source);
        planStridedCopy(harness, { from, to, ...view, elementBytes: elementBytes as 1 | 4 });
        const result = elementBytes === 4 ? harness.i32(to, count) : harness.u8(to, count);
        expect([...result]).toEqual(walk(source, view.shape, view.strides));
        harness.expectUntouchedAround(to, source.byteLength);
      }),
      { numRuns: 60 },
    );
  });

  test('a strided view with steps repeats, skips and walks backwards', () => {
    const harness = new KernelHarness({ build });
    const source = Int32Array.from({ length: 60 }, (_, i) => i);
    const from = harness.put(source);
    const to = harness.allocate(4 * 24);
    planStridedCopy(harness, { from, to, shape: [4, 3, 2], strides: [0, 20, 3], elementBytes: 4 });
    expect([...harness.i32(to, 24)]).toEqual(walk(source, [4, 3, 2], [0, 20, 3]));
    const reversed = harness.allocate(4 * 60);
    planStridedCopy(harness, {
      from: from + 59 * 4,
      to: reversed,
      shape: [6, 10],
      strides: [-10, -1],
      elementBytes: 4,
    });
    expect([...harness.i32(reversed, 60)]).toEqual([...source].toReversed());
  });

  test('transposing twice gives the matrices back, over many chunks and odd sizes', () => {
    const harness = new KernelHarness({ build });
    for (const [batch, rows, columns] of [
      [1, 1, 1],
      [3, 5, 7],
      [2, 67, 1030],
      [2, 3, 50_000],
      [1, 512, 49],
    ] as const) {
      const count = batch * rows * columns;
      const source = Int32Array.from({ length: count }, (_, i) => i);
      const there = harness.allocate(count * 4);
      const back = harness.allocate(count * 4);
      planTranspose(harness, { from: harness.put(source), to: there, batch, rows, columns });
      const strides = [rows * columns, 1, columns];
      const expected = walk(source, [batch, columns, rows], strides);
      expect(harness.i32(there, count)).toEqual(Int32Array.from(expected));
      planTranspose(harness, { from: there, to: back, batch, rows: columns, columns: rows });
      expect(harness.i32(back, count)).toEqual(source);
      harness.expectUntouchedAround(there, count * 4);
    }
  });

  test('NCHW to NHWC goes to the transpose kernel', () => {
    const harness = new KernelHarness({ build });
    const [n, c, h, w] = [2, 16, 9, 11];
    const from = harness.allocate(n * c * h * w * 4);
    const to = harness.allocate(n * c * h * w * 4);
    const strides = [c * h * w, w, 1, h * w];
    planStridedCopy(harness, { from, to, shape: [n, h, w, c], strides, elementBytes: 4 });
    expect(harness.emitted.map(({ kernel }) => kernel)).toEqual(['transpose']);
  });
});
