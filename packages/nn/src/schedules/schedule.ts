// What a schedule is: a pure function of the step. PyTorch's formulas in closed form: `at(k)` is what PyTorch has in force
// at optimiser step k, counted from 0.

import { DataError } from '@convoke/core';

export interface Rate {
  /** Learning rate. */
  readonly lr: number;
  /** Only from schedules that cycle it. */
  readonly momentum?: number;
}

export interface Schedule {
  /** What is in force at optimiser step `step`, counted from 0. */
  at(step: number): Rate;
}

/** Throws a DataError unless `value` is a finite number >= min. */
export function expectNumber(schedule: string, name: string, value: number, min = 0): void {
  if (!Number.isFinite(value) || value < min) {
    throw new DataError(
      `${schedule}: ${name} must be a finite number >= ${min}, got ${String(value)}`,
    );
  }
}

/** Throws a DataError unless `value` is a whole number >= min. */
export function expectWhole(schedule: string, name: string, value: number, min = 1): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new DataError(
      `${schedule}: ${name} must be a whole number >= ${min}, got ${String(value)}`,
    );
  }
}

/** Throws a DataError unless `word` is one of `words`. */
export function expectWord(
  schedule: string,
  name: string,
  word: string,
  words: readonly string[],
): void {
  if (words.includes(word)) return;
  const list = words.map((each) => `'${each}'`).join(' or ');
  throw new DataError(`${schedule}: ${name} must be ${list}, got '${word}'`);
}

/** A schedule that changes once an epoch: `schedule` sees epochs, counted from 0, where the trainer counts steps. */
export function perEpoch(schedule: Schedule, stepsPerEpoch: number): Schedule {
  expectWhole('perEpoch', 'stepsPerEpoch', stepsPerEpoch);
  return { at: (step) => schedule.at(Math.floor(step / stepsPerEpoch)) };
}

export interface SequentialOptions {
  /** The steps at which the second, third, ... schedule takes over; rising. */
  readonly milestones: readonly number[];
}

/** One schedule after another; each counts its steps from 0 where it takes over. */
export function sequentialSchedule(
  schedules: readonly Schedule[],
  { milestones }: SequentialOptions,
): Schedule {
  if (schedules.length === 0 || milestones.length !== schedules.length - 1) {
    throw new DataError(
      `sequentialSchedule: ${schedules.length} schedules have ${Math.max(0, schedules.length - 1)} milestones between them, got ${milestones.length}`,
    );
  }
  milestones.forEach((milestone, i) => {
    expectWhole(
      'sequentialSchedule',
      'each milestone',
      milestone,
      i === 0 ? 1 : milestones[i - 1]! + 1,
    );
  });
  return {
    at(step) {
      const index = milestones.filter((milestone) => milestone <= step).length;
      return schedules[index]!.at(step - (milestones[index - 1] ?? 0));
    },
  };
}
