// What a training run tells the outside, and how the outside stops it. What a callback decides, it decides from the history,
// so that a resumed run decides the same.

import { DataError } from '@convoke/core';

export interface EpochRecord {
  /** Counted from 0. */
  readonly epoch: number;
  /** Mean training loss over the epoch, measured as its batches passed. */
  readonly loss: number;
  /** Training accuracy as the batches passed, 0 to 1; null where the model does not classify. */
  readonly accuracy: number | null;
  readonly validationLoss: number | null;
  readonly validationAccuracy: number | null;
  /** Learning rate of the epoch's last step. */
  readonly learningRate: number;
  readonly images: number;
  /** Wall time of the epoch's training steps; reading data and validation not included. */
  readonly seconds: number;
}

export interface StepEvent {
  readonly epoch: number;
  readonly epochs: number;
  readonly batch: number;
  readonly batchesPerEpoch: number;
  /** Optimiser steps taken so far, this one included. */
  readonly step: number;
  readonly loss: number;
  readonly meanLoss: number;
  readonly accuracy: number | null;
  readonly learningRate: number;
  readonly imagesPerSecond: number;
}

export interface Run {
  readonly epochs: number;
  readonly history: readonly EpochRecord[];
  /** Optimiser steps taken so far, those before a resume included. */
  readonly steps: number;
  /** Ends the run after the present epoch. */
  stop(reason: string): void;
}

export interface Callback {
  onStart?(run: Run): void | Promise<void>;
  onStep?(event: StepEvent, run: Run): void | Promise<void>;
  onEpochEnd?(record: EpochRecord, run: Run): void | Promise<void>;
  /** Called however the run ends, by an error or an abort too. */
  onEnd?(run: Run): void | Promise<void>;
}

export type Monitor = 'loss' | 'accuracy' | 'validationLoss' | 'validationAccuracy';

const higherIsBetter = (monitor: Monitor): boolean =>
  monitor === 'accuracy' || monitor === 'validationAccuracy';

/** The epoch that is best by `monitor` so far, the earlier of equals, or null where nothing was measured. */
export function bestEpoch(
  history: readonly EpochRecord[],
  monitor: Monitor,
  minDelta = 0,
): EpochRecord | null {
  const sign = higherIsBetter(monitor) ? 1 : -1;
  let best: EpochRecord | null = null;
  for (const record of history) {
    const value = record[monitor];
    if (value === null || !Number.isFinite(value)) continue;
    if (!best || sign * (value - best[monitor]!) > minDelta) best = record;
  }
  return best;
}

export interface EarlyStoppingOptions {
  /** Default validationLoss. */
  readonly monitor?: Monitor | undefined;
  /** Epochs. Default 5. */
  readonly patience?: number | undefined;
  /** Default 0. */
  readonly minDelta?: number | undefined;
}

/** Stops once `monitor` has not become better by more than `minDelta` for `patience` epochs. */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { monitor = 'validationLoss', patience = 5, minDelta = 0 } = options;
  if (!Number.isInteger(patience) || patience < 1) {
    throw new DataError(`earlyStopping: patience must be a whole number >= 1, got ${patience}`);
  }
  return {
    onEpochEnd(record, run) {
      // A word that is no monitor finds nothing either.
      if ((record[monitor] ?? null) === null) {
        throw new DataError(
          `earlyStopping: there is no ${monitor} to watch; give fit a validation source, or watch 'loss'`,
        );
      }
      const best = bestEpoch(run.history, monitor, minDelta);
      if (best && record.epoch - best.epoch >= patience) {
        run.stop(
          `${monitor} has not improved since epoch ${best.epoch + 1} (${best[monitor]!.toFixed(4)})`,
        );
      }
    },
  };
}
