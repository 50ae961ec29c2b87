import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { threefry2x32 } from '@convoke/backend-api';

import { planFill, planIota, planRandomBits } from '../../src/kernels/creation.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectSame } from './close.ts';

const orders = fc.constantFrom('ascending' as const, 'descending' as const);

describe.each(['fma', 'base'] as const)('creation kernels, build %s', (build) => {
  test('fill stores a value as its dtype holds it', () => {
    const harness = new KernelHarness({ build });
    for (const [dtype, value] of [
      ['float32', -0.1],
      ['int32', -70_000],
      ['uint8', 300],
      ['bool', 0.5],
    ] as const) {
      const bytes = dtype === 'float32' || dtype === 'int32' ? 4 : 1;
      const y = harness.allocate(100 * bytes);
      planFill(harness, { y, dtype, count: 100, value });
      const views = { float32: harness.f32(y, 100), int32: harness.i32(y, 100) };
      const actual = bytes === 4 ? views[dtype as 'int32'] : harness.u8(y, 100);
      const expected = { float32: Math.fround(value), int32: value, uint8: 44, bool: 1 }[dtype];
      expect([...actual]).toEqual(Array.from({ length: 100 }, () => expected));
      harness.expectUntouchedAround(y, 100 * bytes);
    }
  });

  test('iota counts along its axis', () => {
    expect.hasAssertions();
    const shapes = fc
      .array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 4 })
      .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));
    fc.assert(
      fc.property(
        shapes,
        fc.constantFrom('float32' as const, 'int32' as const),
        orders,
        ([shape, axis], dtype, order) => {
          const harness = new KernelHarness({ build, threads: 3, megabytes: 16 });
          harness.order = order;
          const count = shape.reduce((a, b) => a * b, 1);
          const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
          const y = harness.allocate(count * 4);
          planIota(harness, { y, dtype, shape, axis });
          const actual = dtype === 'int32' ? harness.i32(y, count) : harness.f32(y, count);
          const expected = actual.map((_, i) => Math.floor(i / inner) % shape[axis]!);
          expectSame(actual, expected);
          harness.expectUntouchedAround(y, count * 4);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('random bits are the Threefry words of the key and the index', () => {
    expect.hasAssertions();
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(20_003, 65_537)),
        orders,
        (key0, key1, count, order) => {
          const harness = new KernelHarness({ build, threads: 3, megabytes: 16 });
          harness.order = order;
          const y = harness.allocate(count * 4);
          const key = harness.put(new Int32Array([key0, key1]));
          planRandomBits(harness, { key, y, count });
          const expected = Int32Array.from({ length: count }, (_, i) => {
            return threefry2x32(key0, key1, i >> 1, 0)[i % 2]! >>> 8;
          });
          expectSame(harness.i32(y, count), expected);
          harness.expectUntouchedAround(y, count * 4);
        },
      ),
      { numRuns: 25 },
    );
  });
});
