import type { Backend } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { recognize } from '../src/golden.ts';
import {
  constantRate,
  cosineDecay,
  cosineWarmRestarts,
  exponentialDecay,
  inverseTimeDecay,
  linearRamp,
  multiStepDecay,
  oneCycle,
  perEpoch,
  polynomialDecay,
  reduceOnPlateau,
  sequentialSchedule,
  stepDecay,
  type Schedule,
} from '../src/schedules/index.ts';
import { goldenCases } from './golden-cases.ts';

/** Schedules are arithmetic on the host. */
const noBackend = null as unknown as Backend;

const rates = (schedule: Schedule, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => schedule.at(step).lr);

describe('golden schedules', () => {
  const cases = goldenCases('schedules');

  it('are all recognised by their content', () => {
    expect(cases).toHaveLength(19);
    expect(cases.filter((case_) => !recognize(case_))).toEqual([]);
  });

  it.each(cases)('$id: $attrs is as in PyTorch', async (case_) => {
    const { tensors } = await recognize(case_)!(noBackend);
    expect(tensors.length).toBeGreaterThan(0);
    for (const { error, tolerance } of tensors) expect(error).toBeLessThanOrEqual(tolerance);
  });

  it('that are wrong in one rate are caught', async () => {
    const [case_] = cases;
    const lr = (case_!['lr'] as number[]).map((rate, i) => (i === 5 ? rate * (1 + 1e-9) : rate));
    const { tensors } = await recognize({ ...case_!, lr })!(noBackend);
    expect(tensors[0]!.error).toBeGreaterThan(tensors[0]!.tolerance);
  });

  it('with a name or an attribute that is not known are not run as something else', async () => {
    expect(recognize({ id: 'x', attrs: { schedule: 'CyclicLR', base_lr: 1 } })).toBeNull();
    const attrs = { schedule: 'ExponentialLR', base_lr: 1, gamma: 1, bend: 2 };
    await expect(recognize({ id: 'x', attrs, lr: [1] })!(noBackend)).rejects.toThrow(/bend/);
  });
});

describe('schedules', () => {
  it('are functions of the step alone', () => {
    const schedule = oneCycle({ maxLr: 1, totalSteps: 50 });
    const backwards = Array.from({ length: 50 }, (_, i) => schedule.at(49 - i)).toReversed();
    expect(backwards).toEqual(Array.from({ length: 50 }, (_, step) => schedule.at(step)));
  });

  it('give the course its 1 / (1 + decay * epoch)', () => {
    const schedule = perEpoch(inverseTimeDecay({ lr: 0.2, decay: 1 }), 3);
    expect(rates(schedule, 9)).toEqual([0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.2 / 3, 0.2 / 3, 0.2 / 3]);
  });

  it('can be steady', () => {
    expect(rates(constantRate({ lr: 0.3 }), 3)).toEqual([0.3, 0.3, 0.3]);
  });

  it('follow each other, each from its own start', () => {
    const schedule = sequentialSchedule(
      [constantRate({ lr: 1 }), exponentialDecay({ lr: 8, gamma: 0.5 }), constantRate({ lr: 5 })],
      { milestones: [2, 5] },
    );
    expect(rates(schedule, 7)).toEqual([1, 1, 8, 4, 2, 5, 5]);
  });

  it('of restarts come back to the full rate after each period', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 4 }),
        (period, factor) => {
          const schedule = cosineWarmRestarts({ lr: 1, period, factor });
          let start = 0;
          for (let length = period; start < 500; start += length, length *= factor) {
            expect(schedule.at(start).lr).toBe(1);
            expect(schedule.at(start + length - 1).lr).toBeGreaterThan(0);
          }
        },
      ),
    );
  });

  it('of one cycle stay between their ends and their peak, momentum the other way', () => {
    const options = fc.record({
      maxLr: fc.double({ min: 1e-6, max: 10, noNaN: true }),
      totalSteps: fc.integer({ min: 1, max: 60 }),
      warmup: fc.double({ min: 0, max: 0.5, noNaN: true }),
      threePhase: fc.boolean(),
      anneal: fc.constantFrom('cosine' as const, 'linear' as const),
    });
    fc.assert(
      fc.property(options, (given) => {
        const schedule = oneCycle(given);
        for (let step = 0; step < given.totalSteps + 3; step++) {
          const { lr, momentum } = schedule.at(step);
          expect(lr).toBeGreaterThan(0);
          expect(lr).toBeLessThanOrEqual(given.maxLr * (1 + 1e-12));
          expect(momentum).toBeGreaterThanOrEqual(0.85 - 1e-12);
          expect(momentum).toBeLessThanOrEqual(0.95 + 1e-12);
        }
        expect(schedule.at(given.totalSteps + 2)).toEqual(schedule.at(given.totalSteps - 1));
      }),
    );
  });

  it('of one cycle leave momentum out on request', () => {
    const schedule = oneCycle({ maxLr: 1, totalSteps: 10, cycleMomentum: false });
    expect(schedule.at(3)).toEqual({ lr: oneCycle({ maxLr: 1, totalSteps: 10 }).at(3).lr });
  });
});

describe('reduceOnPlateau', () => {
  const metrics = [3, 2, 2.5, 2.4, NaN, 2.2, 1, 1.5, 1.4, 1.3, 1.2, 1.1];

  it('goes on from its saved state, which is JSON, as if never cut off', () => {
    for (let cut = 0; cut < metrics.length; cut++) {
      const options = { lr: 1, factor: 0.5, patience: 1, cooldown: 1 };
      const whole = reduceOnPlateau(options);
      const expected = metrics.map((metric) => whole.observe(metric));
      const first = reduceOnPlateau(options);
      const before = metrics.slice(0, cut).map((metric) => first.observe(metric));
      const second = reduceOnPlateau(options);
      second.restore(JSON.parse(JSON.stringify(first.state())));
      const after = metrics.slice(cut).map((metric) => second.observe(metric));
      expect([...before, ...after]).toEqual(expected);
    }
  });

  it('tells its rate as any schedule does', () => {
    const schedule = reduceOnPlateau({ lr: 1, factor: 0.5, patience: 0 });
    schedule.observe(1);
    schedule.observe(2);
    expect(schedule.at(0)).toEqual({ lr: 0.5 });
  });

  it('counts NaN as no improvement', () => {
    const schedule = reduceOnPlateau({ lr: 1, factor: 0.5, patience: 1 });
    expect([NaN, NaN, 1].map((metric) => schedule.observe(metric))).toEqual([1, 0.5, 0.5]);
  });
});

describe('mistakes in options', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['stepDecay', () => stepDecay({ lr: 1, stepSize: 0 }), /stepSize must be a whole number >= 1/],
    ['multiStepDecay', () => multiStepDecay({ lr: 1, milestones: [1.5] }), /milestone .* got 1\.5/],
    ['exponentialDecay', () => exponentialDecay({ lr: NaN, gamma: 1 }), /lr must be a finite/],
    ['linearRamp', () => linearRamp({ lr: 1, steps: 0 }), /steps/],
    ['polynomialDecay', () => polynomialDecay({ lr: 1, steps: 4, power: 0 }), /power/],
    ['cosineDecay', () => cosineDecay({ lr: 1, steps: -1 }), /steps/],
    ['cosineWarmRestarts', () => cosineWarmRestarts({ lr: 1, period: 2, factor: 1.5 }), /factor/],
    ['oneCycle', () => oneCycle({ maxLr: 1, totalSteps: 9, warmup: 2 }), /warmup .* \[0, 1\]/],
    ['oneCycle', () => oneCycle({ maxLr: 1, totalSteps: 9, divFactor: 0 }), /divFactor/],
    ['oneCycle', () => oneCycle({ maxLr: 1, totalSteps: 9, maxMomentum: 0.5 }), /baseMomentum/],
    [
      'oneCycle',
      () => oneCycle({ maxLr: 1, totalSteps: 9, anneal: 'cos' as 'cosine' }),
      /anneal must be 'cosine' or 'linear', got 'cos'/,
    ],
    [
      'reduceOnPlateau',
      () => reduceOnPlateau({ lr: 1, mode: 'maximum' as 'max' }),
      /mode must be 'min' or 'max', got 'maximum'/,
    ],
    [
      'reduceOnPlateau',
      () => reduceOnPlateau({ lr: 1, thresholdMode: 'rel' as 'relative' }),
      /thresholdMode must be 'relative' or 'absolute', got 'rel'/,
    ],
    ['perEpoch', () => perEpoch(constantRate({ lr: 1 }), 0), /stepsPerEpoch/],
    ['reduceOnPlateau', () => reduceOnPlateau({ lr: 1, factor: 1 }), /factor must be in \[0, 1\)/],
    [
      'sequentialSchedule',
      () => sequentialSchedule([constantRate({ lr: 1 })], { milestones: [3] }),
      /1 schedules have 0 milestones/,
    ],
    [
      'sequentialSchedule',
      () =>
        sequentialSchedule(
          [1, 2, 3].map((lr) => constantRate({ lr })),
          { milestones: [3, 3] },
        ),
      /each milestone/,
    ],
  ])('of %s are told', (_, mistake, message) => {
    expect(mistake).toThrow(message);
  });
});
