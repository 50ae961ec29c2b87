import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { planGather, planScatterAdd } from '../../src/kernels/gather.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectSame } from './close.ts';
import { random } from './random.ts';

interface View {
  readonly outer: number;
  readonly length: number;
  readonly picks: number;
  readonly inner: number;
}

const views: fc.Arbitrary<View> = fc.record({
  outer: fc.integer({ min: 1, max: 9 }),
  length: fc.integer({ min: 1, max: 12 }),
  picks: fc.integer({ min: 1, max: 30 }),
  inner: fc.constantFrom(1, 1, 2, 5, 16, 100),
});
const orders = fc.constantFrom('ascending' as const, 'descending' as const);

function indicesOf({ outer, length, picks, inner }: View): Int32Array {
  const source = random(outer * 7 + picks);
  return Int32Array.from({ length: outer * picks * inner }, () => {
    return Math.floor((source.next() + 0.5) * length);
  });
}

/** Where in x the element stands that index number `i` names. */
function placeOf({ length, picks, inner }: View, indices: Int32Array, i: number): number {
  const outer = Math.floor(i / (picks * inner));
  return (outer * length + indices[i]!) * inner + (i % inner);
}

describe.each(['fma', 'base'] as const)('gather kernels, build %s', (build) => {
  function expectGather(view: View, bytes: 1 | 4, order: 'ascending' | 'descending'): void {
    const harness = new KernelHarness({ build, threads: 3 });
    harness.order = order;
    const size = view.outer * view.length * view.inner;
    const data = (bytes === 4 ? new Int32Array(size) : new Uint8Array(size)).map((_, i) => i * 3);
    const indices = indicesOf(view);
    const y = harness.allocate(indices.length * bytes);
    planGather(harness, {
      ...view,
      y,
      elementBytes: bytes,
      x: harness.put(data as Int32Array<ArrayBuffer>),
      indices: harness.put(indices),
    });
    const view32 = bytes === 4 ? harness.i32(y, indices.length) : harness.u8(y, indices.length);
    const expected = Array.from(indices, (_, i) => data[placeOf(view, indices, i)]!);
    expectSame(view32, expected);
    harness.expectUntouchedAround(y, indices.length * bytes);
    expect(harness.failures).toEqual([]);
  }

  test('gather picks along an axis', () => {
    fc.assert(fc.property(views, fc.constantFrom(1, 4), orders, expectGather), { numRuns: 40 });
    expectGather({ outer: 30, length: 10, picks: 40, inner: 33 }, 4, 'descending');
  });

  function expectScatter(
    view: View,
    dtype: 'float32' | 'int32',
    inPlace: boolean,
    order: 'ascending' | 'descending',
  ): void {
    const harness = new KernelHarness({ build, threads: 3 });
    harness.order = order;
    const size = view.outer * view.length * view.inner;
    const indices = indicesOf(view);
    const source = random(size);
    const numbers = (count: number): Float32Array | Int32Array =>
      dtype === 'float32'
        ? source.floats(count)
        : Int32Array.from({ length: count }, () => source.next() * 2 ** 32);
    const [data, updates] = [numbers(size), numbers(indices.length)];
    const x = harness.put(data as Float32Array<ArrayBuffer>);
    const y = inPlace ? x : harness.allocate(size * 4);
    planScatterAdd(harness, {
      ...view,
      x,
      y,
      dtype,
      indices: harness.put(indices),
      updates: harness.put(updates as Float32Array<ArrayBuffer>),
    });
    const expected = data.slice();
    for (let i = 0; i < indices.length; i++) expected[placeOf(view, indices, i)]! += updates[i]!;
    const actual = dtype === 'float32' ? harness.f32(y, size) : harness.i32(y, size);
    expectSame(actual, expected);
    harness.expectUntouchedAround(y, size * 4);
    if (!inPlace) expectSame(harness.i32(x, size), new Int32Array(data.buffer));
  }

  test('scatterAdd adds in the order of the updates', () => {
    expect.hasAssertions();
    const dtypes = fc.constantFrom('float32' as const, 'int32' as const);
    fc.assert(fc.property(views, dtypes, fc.boolean(), orders, expectScatter), { numRuns: 40 });
    const large = { outer: 1, length: 60, picks: 300, inner: 130 };
    expectScatter(large, 'float32', false, 'descending');
  });

  test.each([-1, 4, 2 ** 31 - 1, -(2 ** 31)])('index %i of 4 elements fails late', (index) => {
    const harness = new KernelHarness({ build });
    const x = harness.put(new Float32Array([1, 2, 3, 4]));
    const indices = harness.put(new Int32Array([3, index, 0]));
    const y = harness.allocate(12);
    const view = { outer: 1, length: 4, picks: 3, inner: 1 };
    planGather(harness, { ...view, x, indices, y, elementBytes: 4 });
    expect([...harness.f32(y, 3)]).toEqual([4, 0, 1]);
    const sums = harness.allocate(16);
    const updates = harness.put(new Float32Array([10, 20, 30]));
    planScatterAdd(harness, { ...view, x, indices, updates, y: sums, dtype: 'float32' });
    expect([...harness.f32(sums, 4)]).toEqual([31, 2, 3, 14]);
    expect(harness.failures).toEqual([
      { code: 1, value: index },
      { code: 1, value: index },
    ]);
    harness.expectUntouchedAround(sums, 16);
  });
});
