import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { planMaxPool2d, planMaxPool2dGradient } from '../../src/kernels/max-pool.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectSame } from './close.ts';
import { naiveMaxPool, type PoolCase } from './naive-pool.ts';
import { networkPools, poolCases } from './pool-cases.ts';
import { random } from './random.ts';

/** Few values, so that windows have ties; now and then NaN or an infinity. */
function images(s: PoolCase, seed: number): Float32Array {
  const source = random(seed);
  return Float32Array.from({ length: s.n * s.height * s.width * s.c }, () => {
    const draw = source.next() + 0.5;
    if (draw < 0.02) return NaN;
    if (draw < 0.06) return -Infinity;
    return draw < 0.08 ? Infinity : Math.floor(draw * 7) - 3;
  });
}

describe.each(['fma', 'base'] as const)('max-pool kernels, build %s', (build) => {
  function expectDefinition(s: PoolCase, order: 'ascending' | 'descending', threads: number): void {
    const harness = new KernelHarness({ build, threads });
    harness.order = order;
    const data = images(s, s.c * 31 + s.height);
    const x = harness.put(data);
    const count = s.n * s.outHeight * s.outWidth * s.c;
    const [y, indices] = [harness.allocate(count * 4), harness.allocate(count * 4)];
    planMaxPool2d(harness, { ...s, x, y, indices });
    const { maxima, places } = naiveMaxPool(s, data);
    expectSame(harness.i32(indices, count), places);
    expectSame(harness.f32(y, count), maxima);
    const alone = harness.allocate(count * 4);
    planMaxPool2d(harness, { ...s, x, y: alone, indices: 0 });
    expectSame(harness.f32(alone, count), maxima);
    for (const block of [y, indices, alone]) harness.expectUntouchedAround(block, count * 4);

    const gradients = random(count).floats(count);
    const total = s.n * s.height * s.width * s.c;
    const target = harness.allocate(total * 4);
    harness.f32(target, total).fill(NaN);
    const gradient = harness.put(gradients);
    planMaxPool2dGradient(harness, { ...s, gradient, indices, y: target });
    const expected = new Float32Array(total);
    for (let i = 0; i < count; i++) {
      if (places[i]! < 0) continue;
      const image = Math.floor(i / (s.outHeight * s.outWidth * s.c));
      expected[(image * s.height * s.width + places[i]!) * s.c + (i % s.c)]! += gradients[i]!;
    }
    expectSame(harness.f32(target, total), expected);
    harness.expectUntouchedAround(target, total * 4);
    expect(harness.failures).toEqual([]);
  }

  test('maxima, first places and their gradient are those of the definition', () => {
    expect.hasAssertions();
    const cases = fc.tuple(poolCases, fc.constantFrom('ascending', 'descending'), fc.nat(3));
    fc.assert(
      fc.property(cases, ([s, order, more]) => expectDefinition(s, order, more + 1)),
      { numRuns: 40 },
    );
  });

  test.each(networkPools)('pools of networks: $c channels of $height', (s) => {
    expect.hasAssertions();
    expectDefinition(s, 'descending', 4);
  });

  test('of elements that are all -Infinity the first is the maximum', () => {
    const harness = new KernelHarness({ build });
    const x = harness.put(new Float32Array(9).fill(-Infinity));
    const [y, indices] = [harness.allocate(4), harness.allocate(4)];
    planMaxPool2d(harness, {
      n: 1,
      c: 1,
      height: 3,
      width: 3,
      outHeight: 1,
      outWidth: 1,
      x,
      y,
      indices,
      kernelSize: [3, 3],
      stride: [1, 1],
      padding: [0, 0, 0, 0],
      dilation: [1, 1],
    });
    expect([harness.f32(y, 1)[0], harness.i32(indices, 1)[0]]).toEqual([-Infinity, 0]);
  });

  test('a place beyond the images fails and touches nothing', () => {
    const harness = new KernelHarness({ build });
    const gradient = harness.put(new Float32Array([1, 2]));
    const indices = harness.put(new Int32Array([4, 3]));
    const y = harness.allocate(16);
    const shape = { n: 1, c: 1, height: 2, width: 2, outHeight: 1, outWidth: 2 };
    planMaxPool2dGradient(harness, { ...shape, gradient, indices, y });
    expect(harness.failures).toEqual([{ code: 1, value: 4 }]);
    expect([...harness.f32(y, 4)]).toEqual([0, 0, 0, 2]);
    harness.expectUntouchedAround(y, 16);
  });
});
