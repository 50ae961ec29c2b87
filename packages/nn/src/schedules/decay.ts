// Schedules whose rate falls (or rises once) from a base rate: by steps, smoothly, or along a line.

import { DataError } from '@convoke/core';

import { expectNumber, expectWhole, type Schedule } from './schedule.ts';

export interface DecayOptions {
  /** The base rate. */
  readonly lr: number;
}

export interface StepDecayOptions extends DecayOptions {
  readonly stepSize: number;
  /** Default 0.1. */
  readonly gamma?: number | undefined;
}

/** Multiplies the rate by `gamma` every `stepSize` steps. */
export function stepDecay({ lr, stepSize, gamma = 0.1 }: StepDecayOptions): Schedule {
  expectNumber('stepDecay', 'lr', lr);
  expectWhole('stepDecay', 'stepSize', stepSize);
  expectNumber('stepDecay', 'gamma', gamma);
  return { at: (step) => ({ lr: lr * gamma ** Math.floor(step / stepSize) }) };
}

export interface MultiStepDecayOptions extends DecayOptions {
  /** Steps, in any order; one that stands twice counts twice. */
  readonly milestones: readonly number[];
  /** Default 0.1. */
  readonly gamma?: number | undefined;
}

/** Multiplies the rate by `gamma` at each milestone. */
export function multiStepDecay({ lr, milestones, gamma = 0.1 }: MultiStepDecayOptions): Schedule {
  expectNumber('multiStepDecay', 'lr', lr);
  for (const milestone of milestones) expectWhole('multiStepDecay', 'each milestone', milestone, 0);
  expectNumber('multiStepDecay', 'gamma', gamma);
  return {
    at: (step) => ({
      lr: lr * gamma ** milestones.filter((milestone) => milestone <= step).length,
    }),
  };
}

export interface ExponentialDecayOptions extends DecayOptions {
  readonly gamma: number;
}

/** lr * gamma^step. */
export function exponentialDecay({ lr, gamma }: ExponentialDecayOptions): Schedule {
  expectNumber('exponentialDecay', 'lr', lr);
  expectNumber('exponentialDecay', 'gamma', gamma);
  return { at: (step) => ({ lr: lr * gamma ** step }) };
}

export interface InverseTimeDecayOptions extends DecayOptions {
  readonly decay: number;
}

/** lr / (1 + decay * step); the course's lr / (1 + decay * epoch) with `perEpoch`. */
export function inverseTimeDecay({ lr, decay }: InverseTimeDecayOptions): Schedule {
  expectNumber('inverseTimeDecay', 'lr', lr);
  expectNumber('inverseTimeDecay', 'decay', decay);
  return { at: (step) => ({ lr: lr / (1 + decay * step) }) };
}

export interface ConstantRateOptions extends DecayOptions {
  /** What the first `steps` steps multiply the rate by. Default 1. */
  readonly factor?: number | undefined;
  /** Default 0. */
  readonly steps?: number | undefined;
}

/** The base rate; at first, if wanted, `factor` times it for `steps` steps. */
export function constantRate({ lr, factor = 1, steps = 0 }: ConstantRateOptions): Schedule {
  expectNumber('constantRate', 'lr', lr);
  expectNumber('constantRate', 'factor', factor);
  expectWhole('constantRate', 'steps', steps, 0);
  return { at: (step) => ({ lr: step < steps ? lr * factor : lr }) };
}

export interface LinearRampOptions extends DecayOptions {
  readonly steps: number;
  /** Default 1/3. */
  readonly startFactor?: number | undefined;
  /** Default 1. */
  readonly endFactor?: number | undefined;
}

/** Along a line from startFactor * lr at step 0 to endFactor * lr at step `steps`, where it stays: a warm-up. */
export function linearRamp(options: LinearRampOptions): Schedule {
  const { lr, steps, startFactor = 1 / 3, endFactor = 1 } = options;
  expectNumber('linearRamp', 'lr', lr);
  expectWhole('linearRamp', 'steps', steps);
  expectNumber('linearRamp', 'startFactor', startFactor);
  expectNumber('linearRamp', 'endFactor', endFactor);
  return {
    at(step) {
      const done = Math.min(step, steps) / steps;
      return { lr: lr * (startFactor + (endFactor - startFactor) * done) };
    },
  };
}

export interface PolynomialDecayOptions extends DecayOptions {
  readonly steps: number;
  /** Default 1. */
  readonly power?: number | undefined;
}

/** lr * (1 - step / steps)^power, 0 from step `steps` on. */
export function polynomialDecay({ lr, steps, power = 1 }: PolynomialDecayOptions): Schedule {
  expectNumber('polynomialDecay', 'lr', lr);
  expectWhole('polynomialDecay', 'steps', steps);
  expectNumber('polynomialDecay', 'power', power);
  if (power === 0)
    throw new DataError(
      'polynomialDecay: power must be above 0; for a steady rate take constantRate',
    );
  return { at: (step) => ({ lr: lr * (1 - Math.min(step, steps) / steps) ** power }) };
}
