// Where a training run stands, and how that becomes a checkpoint and comes back from one.

import { DataError, type Generator, type Slot } from '@convoke/core';

import type { Module } from '../module.ts';
import type { EpochRecord } from './callbacks.ts';
import {
  expectSameRun,
  expectSlots,
  readSlots,
  restoreSlots,
  type Checkpoint,
} from './checkpoint.ts';
import { Metrics } from './metrics.ts';
import { advanceGenerator, ModelGenerators } from './random-state.ts';

/** What a trainer needs of an optimiser. */
export interface TrainableOptimizer {
  lr: number;
  momentum?: number;
  step(): void;
  zeroGrad(): void;
  stateDict(): Map<string, Slot>;
}

/** What a trainer needs of a schedule: the settings for a step, counted from 0. */
export interface StepSchedule {
  at(step: number): { readonly lr: number; readonly momentum?: number };
}

/** A schedule that learns from each epoch's metric, such as `reduceOnPlateau`. Its state is saved in checkpoints as JSON. */
export interface EpochSchedule extends StepSchedule {
  observe(metric: number): unknown;
  state(): unknown;
  restore(state: unknown): void;
}

export function isEpochSchedule(schedule: StepSchedule | null): schedule is EpochSchedule {
  return schedule !== null && 'observe' in schedule && 'restore' in schedule;
}

/** Everything of a trainer that a checkpoint holds. */
export interface Trained {
  readonly model: Module;
  readonly optimizer: TrainableOptimizer;
  readonly schedule: StepSchedule | null;
  readonly generators: Readonly<Record<string, Generator>>;
  readonly topK: number;
}

/** What makes a run what it is. */
export interface RunSettings {
  readonly config: Readonly<Record<string, string | number | boolean>>;
  readonly epochs: number;
  readonly batchesPerEpoch: number;
}

export interface Position {
  epoch: number;
  /** Batches of the epoch that are done. */
  batch: number;
  step: number;
  /** Seconds of training in the present epoch. */
  seconds: number;
  metrics: Metrics;
  readonly history: EpochRecord[];
  /** Why the run ended early, or null. */
  stopped: string | null;
}

export function startOf({ topK }: Trained): Position {
  return {
    epoch: 0,
    batch: 0,
    step: 0,
    seconds: 0,
    metrics: new Metrics(topK),
    history: [],
    stopped: null,
  };
}

/** All reads are started at once: the values belong to one moment. */
export async function checkpointOf(
  { model, optimizer, schedule, generators }: Trained,
  position: Position,
  settings: RunSettings,
): Promise<Checkpoint> {
  const { epoch, batch, step, seconds, metrics, history, stopped } = position;
  const named = Object.entries(generators).map(([name, generator]) => [name, generator.state()]);
  const state = {
    version: 1,
    ...settings,
    step,
    epoch,
    batch,
    metrics: metrics.state(),
    seconds,
    history: [...history],
    generators: { ...new ModelGenerators(model).states(), ...Object.fromEntries(named) },
    schedule: isEpochSchedule(schedule) ? schedule.state() : null,
    finished: epoch === settings.epochs || stopped !== null,
    stopped,
  } as const;
  const [weights, optimizerState] = await Promise.all([
    readSlots(model.stateDict(), 'model.'),
    readSlots(optimizer.stateDict(), 'optimizer.'),
  ]);
  return { state, tensors: new Map([...weights, ...optimizerState]) };
}

/**
 * Puts everything back where the checkpoint was made. Throws a DataError for the checkpoint of another model, optimiser or
 * run; the model's and optimiser's values are then unchanged.
 */
export function resumeFrom(
  { model, optimizer, schedule, generators, topK }: Trained,
  { state, tensors }: Checkpoint,
  settings: RunSettings,
): Position {
  expectSameRun(state, settings);
  if (isEpochSchedule(schedule) && state.schedule === null) {
    throw new DataError(
      'the checkpoint is of another run: it holds no state of a schedule, and the one given learns from the run. Resume with the same schedule, or start afresh in another folder',
    );
  }
  const modelGenerators = new ModelGenerators(model);
  modelGenerators.expect(state.generators);
  const [weights, optimizerState] = [model.stateDict(), optimizer.stateDict()];
  expectSlots(weights, tensors, 'model.');
  expectSlots(optimizerState, tensors, 'optimizer.');
  for (const [name, generator] of Object.entries(generators)) {
    advanceGenerator(name, generator, state.generators[name]);
  }
  restoreSlots(weights, tensors, 'model.');
  restoreSlots(optimizerState, tensors, 'optimizer.');
  modelGenerators.restore(state.generators);
  if (isEpochSchedule(schedule)) schedule.restore(state.schedule);
  return {
    epoch: state.epoch,
    batch: state.batch,
    step: state.step,
    seconds: state.seconds,
    metrics: new Metrics(topK, { state: state.metrics }),
    history: [...state.history],
    stopped: state.stopped,
  };
}
