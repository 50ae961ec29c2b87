import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { planAdamStep, planSgdStep } from '../../src/kernels/optimizers.ts';
import { KernelHarness } from '../kernel-harness.ts';
import { expectClose } from './close.ts';
import { random, type Random } from './random.ts';

const sizes = fc.array(fc.constantFrom(1, 2, 3, 4, 7, 16, 17, 100, 5001), {
  minLength: 1,
  maxLength: 12,
});
const orders = fc.constantFrom('ascending' as const, 'descending' as const);

/** A block of random numbers and, for results, the same block or another of its size. */
function state(harness: KernelHarness, source: Random, count: number, inPlace: boolean) {
  const data = source.floats(count);
  const address = harness.put(data);
  return { data, address, out: inPlace ? address : harness.allocate(count * 4), count };
}

function scalar(harness: KernelHarness, value: number): number {
  return harness.put(new Float32Array([value]));
}

describe.each(['fma', 'base'] as const)('optimizer kernels, build %s', (build) => {
  function expectSgd(
    counts: readonly number[],
    options: {
      readonly velocity: boolean;
      readonly nesterov: boolean;
      readonly dampening: number;
      readonly weightDecay: number;
      readonly inPlace: boolean;
    },
    order: 'ascending' | 'descending',
  ): void {
    const { velocity, nesterov, dampening, weightDecay, inPlace } = options;
    const harness = new KernelHarness({ build, threads: 3, megabytes: 16 });
    harness.order = order;
    const source = random(counts.length);
    const [lr, momentum] = [Math.fround(0.1), Math.fround(0.9)];
    const parameters = counts.map((count) => ({
      p: state(harness, source, count, inPlace),
      g: state(harness, source, count, true),
      v: state(harness, source, count, inPlace),
    }));
    planSgdStep(harness, {
      lr: scalar(harness, lr),
      momentum: velocity ? scalar(harness, momentum) : 0,
      dampening,
      nesterov,
      weightDecay,
      parameters: parameters.map(({ p, g, v }) => ({
        parameter: p.address,
        gradient: g.address,
        count: p.count,
        parameterOut: p.out,
        ...(velocity ? { velocity: v.address, velocityOut: v.out } : {}),
      })),
    });
    for (const { p, g, v } of parameters) {
      const expected = { p: new Float64Array(p.count), v: new Float64Array(p.count) };
      for (let i = 0; i < p.count; i++) {
        const gradient = g.data[i]! + weightDecay * p.data[i]!;
        const moved = momentum * v.data[i]! + (1 - dampening) * gradient;
        const along = nesterov ? gradient + momentum * moved : moved;
        expected.p[i] = p.data[i]! - lr * (velocity ? along : gradient);
        expected.v[i] = moved;
      }
      expectClose(harness.f32(p.out, p.count), expected.p, 1e-6, 1);
      harness.expectUntouchedAround(p.out, p.count * 4);
      if (velocity) expectClose(harness.f32(v.out, v.count), expected.v, 1e-6, 1);
      harness.expectUntouchedAround(v.out, v.count * 4);
    }
  }

  test('sgd with and without velocities', () => {
    expect.hasAssertions();
    const options = fc.record({
      velocity: fc.boolean(),
      nesterov: fc.boolean(),
      dampening: fc.constantFrom(0, 0.25),
      weightDecay: fc.constantFrom(0, 0.01),
      inPlace: fc.boolean(),
    });
    fc.assert(fc.property(sizes, options, orders, expectSgd), { numRuns: 25 });
  });

  function expectAdam(
    counts: readonly number[],
    options: {
      readonly weightDecay: number;
      readonly decoupled: boolean;
      readonly inPlace: boolean;
    },
    order: 'ascending' | 'descending',
  ): void {
    const { weightDecay, decoupled, inPlace } = options;
    const harness = new KernelHarness({ build, threads: 3, megabytes: 16 });
    harness.order = order;
    const source = random(counts.length + 7);
    const [lr, stepSize, root, beta1] = [0.01, 0.02, 0.3, 0.9].map(Math.fround);
    const [beta2, epsilon] = [0.999, 1e-3];
    const parameters = counts.map((count) => ({
      p: state(harness, source, count, inPlace),
      g: state(harness, source, count, true),
      m: state(harness, source, count, inPlace),
      v: state(harness, source, count, inPlace),
    }));
    for (const { v } of parameters) {
      v.data.forEach((value, i) => (v.data[i] = value ** 2));
      harness.f32(v.address, v.count).set(v.data);
    }
    planAdamStep(harness, {
      lr: scalar(harness, lr!),
      stepSize: scalar(harness, stepSize!),
      root: scalar(harness, root!),
      beta1: scalar(harness, beta1!),
      beta2,
      epsilon,
      weightDecay,
      decoupled,
      parameters: parameters.map(({ p, g, m, v }) => ({
        parameter: p.address,
        gradient: g.address,
        m: m.address,
        v: v.address,
        count: p.count,
        parameterOut: p.out,
        mOut: m.out,
        vOut: v.out,
      })),
    });
    for (const { p, g, m, v } of parameters) {
      const expected = [p, m, v].map(() => new Float64Array(p.count));
      for (let i = 0; i < p.count; i++) {
        const gradient = g.data[i]! + (decoupled ? 0 : weightDecay) * p.data[i]!;
        const mean = beta1! * m.data[i]! + (1 - beta1!) * gradient;
        const energy = beta2 * v.data[i]! + (1 - beta2) * gradient ** 2;
        const kept = decoupled ? p.data[i]! * (1 - lr! * weightDecay) : p.data[i]!;
        expected[0]![i] = kept - (stepSize! * mean) / (Math.sqrt(energy) / root! + epsilon);
        expected[1]![i] = mean;
        expected[2]![i] = energy;
      }
      for (const [i, one] of [p, m, v].entries()) {
        expectClose(harness.f32(one.out, one.count), expected[i]!, 2e-6, 1);
        harness.expectUntouchedAround(one.out, one.count * 4);
      }
    }
  }

  test('Adam and AdamW', () => {
    expect.hasAssertions();
    const options = fc.record({
      weightDecay: fc.constantFrom(0, 0.01),
      decoupled: fc.boolean(),
      inPlace: fc.boolean(),
    });
    fc.assert(fc.property(sizes, options, orders, expectAdam), { numRuns: 25 });
  });

  test('long lists take few commands, and parameters without elements none', () => {
    const counts = [...Array.from({ length: 300 }, (_, i) => (i * 37) % 90), 20_000, 0, 40_000];
    const options = { velocity: true, nesterov: false, dampening: 0, weightDecay: 0.1 };
    expectSgd(counts, { ...options, inPlace: false }, 'descending');
    const harness = new KernelHarness({ build });
    planSgdStep(harness, {
      lr: scalar(harness, 1),
      momentum: 0,
      dampening: 0,
      nesterov: false,
      weightDecay: 0,
      parameters: counts.map((count) => {
        const parameter = harness.allocate(count * 4);
        return { parameter, gradient: parameter, count, parameterOut: parameter };
      }),
    });
    expect(harness.emitted.length).toBe(3);
  });

  test('without weight decay an infinite parameter makes no NaN', () => {
    const harness = new KernelHarness({ build });
    const parameter = harness.put(new Float32Array([Infinity, -Infinity]));
    const gradient = harness.put(new Float32Array([1, 2]));
    planSgdStep(harness, {
      lr: scalar(harness, 0.1),
      momentum: 0,
      dampening: 0,
      nesterov: false,
      weightDecay: 0,
      parameters: [{ parameter, gradient, count: 2, parameterOut: parameter }],
    });
    expect([...harness.f32(parameter, 2)]).toEqual([Infinity, -Infinity]);
  });
});
