import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { planArgExtreme, planCumsum, planSort } from '../../src/kernels/order.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { floats, random, wholes } from './broadcasts.ts';
import { bitMismatch, exactly, mismatch } from './mismatch.ts';

type Values = Float32Array | Int32Array;
type View = readonly [outer: number, length: number, inner: number];

/** Places of the elements of each line along the middle axis, in C order of the other two. */
function lines([outer, length, inner]: View): number[][] {
  return Array.from({ length: outer * inner }, (_, line) => {
    const start = Math.floor(line / inner) * length * inner + (line % inner);
    return Array.from({ length }, (__, i) => start + i * inner);
  });
}

/** Below 0 where a comes first; NaN is largest. */
function order(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}

const views = fc.tuple(
  fc.integer({ min: 1, max: 6 }),
  fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 30, max: 300 })),
  fc.integer({ min: 1, max: 7 }),
);
const dtypes = ['float32', 'int32'] as const;

function draw(dtype: 'float32' | 'int32', seed: number, size: number): Values {
  return dtype === 'float32' ? floats(seed, size, seed % 2 === 0 ? 0.02 : 0) : wholes(seed, size);
}

function sort(
  harness: KernelHarness,
  x: Values,
  view: View,
  descending: boolean,
): [Values, Int32Array] {
  const dtype = x instanceof Float32Array ? 'float32' : 'int32';
  // In place: the values replace x.
  const values = harness.put(x);
  const indices = harness.allocate(x.byteLength);
  planSort(harness, { dtype, shape: view, axis: 1, descending, x: values, values, indices });
  harness.expectUntouchedAround(values, x.byteLength);
  harness.expectUntouchedAround(indices, x.byteLength);
  const sorted =
    dtype === 'float32' ? harness.f32(values, x.length) : harness.i32(values, x.length);
  return [sorted, harness.i32(indices, x.length)];
}

function sortMismatch(
  x: Values,
  view: View,
  descending: boolean,
  [y, indices]: [Values, Int32Array],
): string | null {
  const sign = descending ? -1 : 1;
  const wantedIndices = new Int32Array(x.length);
  const wantedValues = x.slice();
  for (const places of lines(view)) {
    const sorted = places.map((_, i) => i);
    // Array.prototype.sort is stable.
    sorted.sort((a, b) => sign * order(x[places[a]!]!, x[places[b]!]!));
    for (const [i, at] of places.entries()) {
      wantedIndices[at] = sorted[i]!;
      wantedValues[at] = x[places[sorted[i]!]!]!;
    }
  }
  return bitMismatch(indices, wantedIndices) ?? bitMismatch(y, wantedValues);
}

describe.each<Build>(['fma', 'base'])('build %s', (build) => {
  it.each(
    dtypes.flatMap((dtype) => (['argMax', 'argMin'] as const).map((op) => [op, dtype] as const)),
  )('%s of %s finds the first extreme, NaN above all', (op, dtype) => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(views, fc.integer(), (view, seed) => {
        harness.order = seed % 3 === 0 ? 'descending' : 'ascending';
        const x = draw(dtype, seed, view[0] * view[1] * view[2]);
        const wanted = lines(view).map((places) => {
          const values = places.map((at) => x[at]!);
          const extreme = op === 'argMax' ? Math.max(...values) : Math.min(...values);
          return values.findIndex(
            (value) => value === extreme || (Number.isNaN(value) && Number.isNaN(extreme)),
          );
        });
        const y = harness.allocate(wanted.length * 4);
        planArgExtreme(harness, { op, dtype, shape: view, axis: 1, x: harness.put(x), y });
        harness.expectUntouchedAround(y, wanted.length * 4);
        expect(bitMismatch(harness.i32(y, wanted.length), Int32Array.from(wanted))).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it('finds extremes among infinities alone', () => {
    const harness = new KernelHarness({ build });
    const x = harness.put(new Float32Array(8).fill(-Infinity));
    const y = harness.allocate(8);
    planArgExtreme(harness, { op: 'argMax', dtype: 'float32', shape: [2, 4], axis: 1, x, y });
    expect([...harness.i32(y, 2)]).toEqual([0, 0]);
  });

  it('sums up along any axis', () => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(views, fc.integer(), fc.boolean(), (view, seed, inPlace) => {
        const x = floats(seed, view[0] * view[1] * view[2], inPlace ? 0.01 : 0);
        const wanted = new Float32Array(x.length);
        for (const places of lines(view)) {
          let sum = 0;
          for (const at of places) wanted[at] = sum += x[at]!;
        }
        const from = harness.put(x);
        const y = inPlace ? from : harness.allocate(x.byteLength);
        planCumsum(harness, { shape: view, axis: 1, x: from, y });
        harness.expectUntouchedAround(y, x.byteLength);
        expect(mismatch(harness.f32(y, x.length), wanted, exactly)).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it.each(dtypes)('sorts %s stably along any axis, NaN largest', (dtype) => {
    const harness = new KernelHarness({ build, megabytes: 128 });
    fc.assert(
      fc.property(views, fc.integer(), fc.boolean(), (view, seed, descending) => {
        const x = draw(dtype, seed, view[0] * view[1] * view[2]);
        expect(sortMismatch(x, view, descending, sort(harness, x, view, descending))).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it('sorts many lines and long ones, in chunks of any order', () => {
    for (const view of [
      [300, 100, 3],
      [2, 70_000, 1],
    ] as const) {
      const next = random(9);
      const x = Float32Array.from(
        { length: view[0] * view[1] * view[2] },
        () => (next() - 0.5) * 2 ** (next() * 60 - 30),
      );
      const harness = new KernelHarness({ build, threads: 4 });
      harness.order = 'descending';
      const result = sort(harness, x, view, false);
      expect(harness.emitted[0]!.chunks).toBeGreaterThan(1);
      expect(sortMismatch(x, view, false, result)).toBeNull();
    }
  });
});
