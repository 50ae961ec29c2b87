// The one schedule that is no function of the step: it lowers the rate when a metric no longer improves.

import { DataError } from '@convoke/core';

import { expectNumber, expectWhole, expectWord, type Rate, type Schedule } from './schedule.ts';

export interface ReduceOnPlateauOptions {
  /** The first rate. */
  readonly lr: number;
  /** Whether the metric should fall or rise. Default min. */
  readonly mode?: 'min' | 'max' | undefined;
  /** Below 1. Default 0.1. */
  readonly factor?: number | undefined;
  /** Observations without improvement that are let pass. Default 10. */
  readonly patience?: number | undefined;
  /** How much better counts as better. Default 1e-4. */
  readonly threshold?: number | undefined;
  /** Whether the threshold is a share of the best metric or an amount. Default relative. */
  readonly thresholdMode?: 'relative' | 'absolute' | undefined;
  /** Observations after a reduction in which none is counted as bad. Default 0. */
  readonly cooldown?: number | undefined;
  /** Default 0. */
  readonly minLr?: number | undefined;
  /** A smaller change of the rate is not made. Default 1e-8. */
  readonly epsilon?: number | undefined;
}

/** Plain JSON: what `restore` needs to go on exactly here. */
export interface PlateauState {
  readonly lr: number;
  /** Best metric so far; null before the first. */
  readonly best: number | null;
  readonly badObservations: number;
  readonly cooldownLeft: number;
}

export interface PlateauSchedule extends Schedule {
  /** Takes in the metric, usually of an epoch's validation; returns the rate from now on. NaN counts as no improvement. */
  observe(metric: number): number;
  state(): PlateauState;
  restore(state: PlateauState): void;
}

/** Multiplies the rate by `factor` after more than `patience` observations without improvement. */
export function reduceOnPlateau(options: ReduceOnPlateauOptions): PlateauSchedule {
  const { mode = 'min', factor = 0.1, patience = 10, threshold = 1e-4, epsilon = 1e-8 } = options;
  const { thresholdMode = 'relative', cooldown = 0, minLr = 0 } = options;
  const name = 'reduceOnPlateau';
  expectNumber(name, 'lr', options.lr);
  expectWord(name, 'mode', mode, ['min', 'max']);
  expectWord(name, 'thresholdMode', thresholdMode, ['relative', 'absolute']);
  expectWhole(name, 'patience', patience, 0);
  expectWhole(name, 'cooldown', cooldown, 0);
  for (const [key, value] of Object.entries({ threshold, minLr, epsilon }))
    expectNumber(name, key, value);
  if (!(factor >= 0 && factor < 1))
    throw new DataError(`${name}: factor must be in [0, 1), got ${factor}`);
  const sign = mode === 'min' ? 1 : -1;
  let state: PlateauState = { lr: options.lr, best: null, badObservations: 0, cooldownLeft: 0 };

  const improves = (metric: number, best: number | null): boolean => {
    if (best === null) return !Number.isNaN(metric);
    const goal =
      thresholdMode === 'relative' ? best * (1 - sign * threshold) : best - sign * threshold;
    return sign * metric < sign * goal;
  };
  return {
    at: (): Rate => ({ lr: state.lr }),
    observe(metric) {
      const better = improves(metric, state.best);
      const cooling = state.cooldownLeft > 0;
      let { lr } = state;
      let bad = better || cooling ? 0 : state.badObservations + 1;
      let cooldownLeft = cooling ? state.cooldownLeft - 1 : 0;
      if (bad > patience) {
        const reduced = Math.max(lr * factor, minLr);
        if (lr - reduced > epsilon) lr = reduced;
        cooldownLeft = cooldown;
        bad = 0;
      }
      state = { lr, best: better ? metric : state.best, badObservations: bad, cooldownLeft };
      return lr;
    },
    state: () => state,
    restore(saved) {
      expectNumber(name, 'the saved lr', saved.lr);
      expectWhole(name, 'the saved badObservations', saved.badObservations, 0);
      expectWhole(name, 'the saved cooldownLeft', saved.cooldownLeft, 0);
      const { lr, best, badObservations, cooldownLeft } = saved;
      state = { lr, best, badObservations, cooldownLeft };
    },
  };
}
