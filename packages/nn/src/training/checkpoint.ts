// What a training run must remember to go on to the bit: weights, optimiser state, random state, its place in the data and
// what was counted so far. Where it is kept is the store's business.

import { DataError, type Slot } from '@convoke/core';

import { assignAll, problemsOf, compareState, type HostTensor } from '../state-dict.ts';
import type { EpochRecord } from './callbacks.ts';
import type { MetricsState } from './metrics.ts';
import type { GeneratorStates } from './random-state.ts';

/** Named values on the host. */
export type HostTensors = Map<string, HostTensor>;

/** Everything of a checkpoint but its tensors; JSON. */
export interface TrainingState {
  readonly version: 1;
  /** What the run was started with; a run with other settings does not go on from here. */
  readonly config: Readonly<Record<string, string | number | boolean>>;
  readonly epochs: number;
  /** Optimiser steps taken. */
  readonly step: number;
  /** The epoch the run is in. */
  readonly epoch: number;
  /** Batches of it that are done. */
  readonly batch: number;
  readonly batchesPerEpoch: number;
  /** What was counted in the present epoch. */
  readonly metrics: MetricsState;
  /** Seconds spent in the present epoch. */
  readonly seconds: number;
  readonly history: readonly EpochRecord[];
  readonly generators: GeneratorStates;
  /** What a schedule that learns from the run remembers; null for others. */
  readonly schedule: unknown;
  /** Whether there is nothing left to train. */
  readonly finished: boolean;
  /** Why the run ended before its last epoch, or null. */
  readonly stopped: string | null;
}

export interface Checkpoint {
  readonly state: TrainingState;
  /** The model's state under `model.`, the optimiser's under `optimizer.`. */
  readonly tensors: HostTensors;
}

/** Where checkpoints are kept. A save is all or nothing: cut off at any moment, `load` gives the save before. */
export interface CheckpointStore {
  /** Throws where nothing could be saved; called before training starts. */
  prepare(): Promise<void>;
  save(checkpoint: Checkpoint): Promise<void>;
  /** Keeps the model's weights as the best so far. */
  saveBest(model: HostTensors, record: EpochRecord): Promise<void>;
  /** The last save, or null where there is none. */
  load(): Promise<Checkpoint | null>;
}

/** Copies of slots' values, in the map's order. All reads are started at once: the values belong to one moment. */
export async function readSlots(
  slots: ReadonlyMap<string, Slot>,
  prefix = '',
): Promise<HostTensors> {
  const reads = [...slots].map(async ([name, slot]) => {
    const { dtype, shape } = slot;
    return [prefix + name, { dtype, shape, data: await slot.data() }] as const;
  });
  return new Map(await Promise.all(reads));
}

/**
 * Throws a DataError where the saved names under `prefix`, their shapes or dtypes are not those of the slots: the checkpoint is
 * then of another model or optimiser.
 */
export function expectSlots(
  slots: ReadonlyMap<string, Slot>,
  saved: HostTensors,
  prefix: string,
): void {
  const what = prefix === 'model.' ? 'model' : 'optimiser';
  const own = [...saved].filter(([name]) => name.startsWith(prefix));
  const given = new Map(own.map(([name, value]) => [name.slice(prefix.length), value]));
  const problems = problemsOf(compareState(slots, given));
  if (problems.length === 0) return;
  throw new DataError(
    `the checkpoint is of another ${what}. ${problems.join('; ')}. Resume with the ${what} it was made with, or start afresh in another folder`,
  );
}

/** Writes saved values into slots. Throws, before anything is changed, what `expectSlots` throws. */
export function restoreSlots(
  slots: ReadonlyMap<string, Slot>,
  saved: HostTensors,
  prefix: string,
): void {
  expectSlots(slots, saved, prefix);
  const prefixed = new Map([...slots].map(([name, slot]) => [prefix + name, slot]));
  assignAll(prefixed, saved, [...prefixed.keys()]);
}

/** Throws a DataError that names the settings in which a run differs from the one that made the checkpoint. */
export function expectSameRun(
  saved: TrainingState,
  now: Pick<TrainingState, 'config' | 'epochs' | 'batchesPerEpoch'>,
): void {
  const flat = (state: typeof now): Record<string, unknown> => ({
    ...state.config,
    epochs: state.epochs,
    'batches per epoch': state.batchesPerEpoch,
  });
  const before = flat(saved);
  const after = flat(now);
  const different = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => before[key] !== after[key],
  );
  if (different.length === 0) return;
  const list = different.map(
    (key) => `${key} was ${String(before[key])}, is now ${String(after[key])}`,
  );
  throw new DataError(
    `the checkpoint is of another run: ${list.join('; ')}. Resume with the same settings, or start afresh in another folder`,
  );
}
