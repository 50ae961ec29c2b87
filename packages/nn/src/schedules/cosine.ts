// Schedules along half waves of the cosine: annealing, with restarts, and the one cycle.

import { DataError } from '@convoke/core';

import type { DecayOptions } from './decay.ts';
import { expectNumber, expectWhole, expectWord, type Schedule } from './schedule.ts';

/** From `start` to `end` while `done` goes from 0 to 1. */
type Annealing = (start: number, end: number, done: number) => number;

const along: Readonly<Record<'cosine' | 'linear', Annealing>> = {
  cosine: (start, end, done) => end + ((start - end) / 2) * (1 + Math.cos(Math.PI * done)),
  linear: (start, end, done) => start + (end - start) * done,
};

export interface CosineDecayOptions extends DecayOptions {
  /** Steps from the highest to the lowest rate. */
  readonly steps: number;
  /** Default 0. */
  readonly minLr?: number | undefined;
}

/**
 * From lr at step 0 to minLr at step `steps` along a half cosine (Loshchilov & Hutter 2016, arXiv:1608.03983, without
 * restarts). Beyond, the wave goes on: the rate rises again.
 */
export function cosineDecay({ lr, steps, minLr = 0 }: CosineDecayOptions): Schedule {
  expectNumber('cosineDecay', 'lr', lr);
  expectWhole('cosineDecay', 'steps', steps);
  expectNumber('cosineDecay', 'minLr', minLr);
  return { at: (step) => ({ lr: along.cosine(lr, minLr, step / steps) }) };
}

export interface CosineWarmRestartsOptions extends DecayOptions {
  /** Steps of the first period. */
  readonly period: number;
  /** How many times longer each period is than the one before; a whole number. Default 1. */
  readonly factor?: number | undefined;
  /** Default 0. */
  readonly minLr?: number | undefined;
}

/** Half cosines from lr towards minLr, starting again at lr after each period (SGDR, arXiv:1608.03983). */
export function cosineWarmRestarts(options: CosineWarmRestartsOptions): Schedule {
  const { lr, period, factor = 1, minLr = 0 } = options;
  expectNumber('cosineWarmRestarts', 'lr', lr);
  expectWhole('cosineWarmRestarts', 'period', period);
  expectWhole('cosineWarmRestarts', 'factor', factor);
  expectNumber('cosineWarmRestarts', 'minLr', minLr);
  return {
    at(step) {
      let length = period;
      let since = step;
      if (factor === 1) since %= period;
      else for (; since >= length; length *= factor) since -= length;
      return { lr: along.cosine(lr, minLr, since / length) };
    },
  };
}

export interface OneCycleOptions {
  /** The peak. */
  readonly maxLr: number;
  /** Steps of the whole cycle; the last one is totalSteps - 1. */
  readonly totalSteps: number;
  /** Share of the cycle in which the rate rises. Default 0.3. */
  readonly warmup?: number | undefined;
  /** Default cosine. */
  readonly anneal?: 'cosine' | 'linear' | undefined;
  /** The first rate is maxLr / divFactor. Default 25. */
  readonly divFactor?: number | undefined;
  /** The last rate is the first / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number | undefined;
  /** Falls to the first rate as fast as it rose, then to the last. Default false: straight to the last. */
  readonly threePhase?: boolean | undefined;
  /** Momentum goes the other way, from maxMomentum to baseMomentum and back. Default true. */
  readonly cycleMomentum?: boolean | undefined;
  /** Default 0.85. */
  readonly baseMomentum?: number | undefined;
  /** Default 0.95. */
  readonly maxMomentum?: number | undefined;
}

interface Phase {
  /** The step it ends at; need not be whole. */
  readonly end: number;
  /** Rates and momenta at its start and end. */
  readonly lr: readonly [number, number];
  readonly momentum: readonly [number, number];
}

/**
 * Up to maxLr and down again within totalSteps, momentum the other way (Smith & Topin 2017, arXiv:1708.07120, in PyTorch's
 * form). After the last step its values stay.
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const { maxLr, totalSteps, warmup = 0.3, anneal = 'cosine', divFactor = 25 } = options;
  const { finalDivFactor = 1e4, threePhase = false, cycleMomentum = true } = options;
  const { baseMomentum: low = 0.85, maxMomentum: high = 0.95 } = options;
  expectNumber('oneCycle', 'maxLr', maxLr);
  expectWhole('oneCycle', 'totalSteps', totalSteps);
  for (const [name, value] of Object.entries({ divFactor, finalDivFactor })) {
    if (!(value > 0 && value < Infinity)) {
      throw new DataError(`oneCycle: ${name} must be a finite number above 0, got ${value}`);
    }
  }
  if (!(warmup >= 0 && warmup <= (threePhase ? 0.5 : 1))) {
    throw new DataError(
      `oneCycle: warmup must be a share in [0, ${threePhase ? '0.5] with three phases' : '1]'}, got ${warmup}`,
    );
  }
  if (!(low >= 0 && low <= high && high < 1)) {
    throw new DataError(
      `oneCycle: expected 0 <= baseMomentum <= maxMomentum < 1, got ${low} and ${high}`,
    );
  }
  expectWord('oneCycle', 'anneal', anneal, Object.keys(along));
  const first = maxLr / divFactor;
  const last = first / finalDivFactor;
  const top = warmup * totalSteps - 1;
  const end = totalSteps - 1;
  const rise: Phase = { end: top, lr: [first, maxLr], momentum: [high, low] };
  const phases: Phase[] = threePhase
    ? [
        rise,
        { end: 2 * top, lr: [maxLr, first], momentum: [low, high] },
        { end, lr: [first, last], momentum: [high, high] },
      ]
    : [rise, { end, lr: [maxLr, last], momentum: [low, high] }];
  return {
    at(step) {
      const bounded = Math.min(step, end);
      const found = phases.findIndex((phase) => bounded <= phase.end);
      const index = found === -1 ? phases.length - 1 : found;
      const phase = phases[index]!;
      const start = phases[index - 1]?.end ?? 0;
      const done = phase.end === start ? 1 : (bounded - start) / (phase.end - start);
      const lr = along[anneal](...phase.lr, done);
      return cycleMomentum ? { lr, momentum: along[anneal](...phase.momentum, done) } : { lr };
    },
  };
}
