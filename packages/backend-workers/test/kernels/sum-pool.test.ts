import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { planSumPool2d, planSumPool2dGradient, type Divisor } from '../../src/kernels/sum-pool.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectClose } from './close.ts';
import { naiveSumPool, naiveSumPoolGradient, type PoolCase } from './naive-pool.ts';
import { networkPools, poolCases } from './pool-cases.ts';
import { random } from './random.ts';

const divisors: readonly Divisor[] = [1, 2.5, 'kernel', 'valid', 'padded'];

describe.each(['fma', 'base'] as const)('sum-pool kernels, build %s', (build) => {
  function expectDefinition(
    s: PoolCase,
    divisor: Divisor,
    order: 'ascending' | 'descending',
    threads: number,
  ): void {
    const harness = new KernelHarness({ build, threads });
    harness.order = order;
    const [top, bottom, left, right] = s.padding;
    const countedPadding = [top, Math.floor(bottom / 2), Math.floor(left / 2), right] as const;
    const window = { ...s, divisor, countedPadding };
    const total = s.n * s.height * s.width * s.c;
    const count = s.n * s.outHeight * s.outWidth * s.c;
    const [xs, gradients] = [random(total).floats(total), random(count).floats(count)];
    const [x, y] = [harness.put(xs), harness.allocate(count * 4)];
    planSumPool2d(harness, { ...window, x, y });
    expectClose(harness.f32(y, count), naiveSumPool(window, xs), 2e-6, 0.25);
    harness.expectUntouchedAround(y, count * 4);

    const [gradient, target] = [harness.put(gradients), harness.allocate(total * 4)];
    planSumPool2dGradient(harness, { ...window, x: gradient, y: target });
    expectClose(harness.f32(target, total), naiveSumPoolGradient(window, gradients), 2e-6, 0.25);
    harness.expectUntouchedAround(target, total * 4);
  }

  test('sums, averages and their gradients are those of the definition', () => {
    expect.hasAssertions();
    const cases = fc.tuple(
      poolCases,
      fc.constantFrom(...divisors),
      fc.constantFrom('ascending', 'descending'),
      fc.nat(3),
    );
    fc.assert(
      fc.property(cases, ([s, divisor, order, more]) =>
        expectDefinition(s, divisor, order, more + 1),
      ),
      { numRuns: 40 },
    );
  });

  test.each(networkPools)('pools of networks: $c channels of $height', (s) => {
    expect.hasAssertions();
    expectDefinition(s, 'kernel', 'descending', 4);
    expectDefinition(s, 'valid', 'ascending', 1);
  });

  test('the mean of a large plane keeps its digits', () => {
    const harness = new KernelHarness({ build });
    const size = 200;
    const xs = random(5)
      .floats(size * size)
      .map((x) => x + 10);
    const [x, y] = [harness.put(xs), harness.allocate(4)];
    planSumPool2d(harness, {
      n: 1,
      c: 1,
      height: size,
      width: size,
      outHeight: 1,
      outWidth: 1,
      x,
      y,
      kernelSize: [size, size],
      stride: [1, 1],
      padding: [0, 0, 0, 0],
      dilation: [1, 1],
      divisor: 'kernel',
    });
    const mean = xs.reduce((sum, one) => sum + one, 0) / xs.length;
    expect(Math.abs(harness.f32(y, 1)[0]! / mean - 1)).toBeLessThan(1e-6);
  });
});
