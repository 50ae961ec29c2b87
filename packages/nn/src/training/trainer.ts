// The training loop: steps, epochs, evaluation, prediction. What a batch costs stands in measure.ts, what is saved in run.ts.

import {
  backward,
  ConvokeError,
  crossEntropy,
  DataError,
  scope,
  type Backend,
  type Generator,
} from '@convoke/core';

import { clipGradNorm, clipGradValue } from '../clip.ts';
import type { Loss } from '../losses.ts';
import type { Module } from '../module.ts';
import { moveSlots } from '../move.ts';
import { batchTensors, expectSource, type Batch, type BatchSource } from './batch.ts';
import { bestEpoch, type Callback, type EpochRecord, type Monitor, type Run } from './callbacks.ts';
import { readSlots, type CheckpointStore } from './checkpoint.ts';
import { diagnose } from './diagnosis.ts';
import { backendOf, measure, outputsOf } from './measure.ts';
import { Metrics, type MetricsSummary } from './metrics.ts';
import { ModelGenerators, type GeneratorStates } from './random-state.ts';
import {
  checkpointOf,
  isEpochSchedule,
  resumeFrom,
  startOf,
  type Position,
  type RunSettings,
  type StepSchedule,
  type TrainableOptimizer,
  type Trained,
} from './run.ts';

export interface TrainerOptions {
  readonly model: Module;
  readonly optimizer: TrainableOptimizer;
  /** Mean loss of a batch, a scalar. Cross-entropy unless given. */
  readonly loss?: Loss | undefined;
  /** Sets learning rate (and momentum) before every step. Default: the optimiser's stay. */
  readonly schedule?: StepSchedule | undefined;
  /** What a schedule that learns from the run is told after each epoch. Default validationLoss, or loss without validation. */
  readonly scheduleMonitor?: Monitor | undefined;
  /** Gradients are scaled so that their norm over all parameters is at most this. */
  readonly clipNorm?: number | undefined;
  /** Gradients are clamped to [-clipValue, clipValue]. */
  readonly clipValue?: number | undefined;
  /** The k of top-k accuracy. Default 5. */
  readonly topK?: number | undefined;
  /** A class number that does not count, in the default loss and in accuracies. */
  readonly ignoreIndex?: number | undefined;
  /** Random generators that the loss draws from, by name: saved and restored as those in the model's fields are. */
  readonly generators?: Readonly<Record<string, Generator>> | undefined;
}

export interface CheckpointOptions {
  readonly store: CheckpointStore;
  /** Also save after every so many steps; after every epoch it is saved anyway. */
  readonly everySteps?: number | undefined;
  /** Go on from the store's last checkpoint where there is one. */
  readonly resume?: boolean | undefined;
  /** Keep the weights of the epoch that is best by this. Default validationLoss, or loss without validation. */
  readonly best?: Monitor | undefined;
  /** What makes this run what it is (data set, seed): resuming with another value is an error. */
  readonly config?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface FitOptions {
  readonly epochs: number;
  /** Measured after every epoch. */
  readonly validation?: BatchSource | undefined;
  readonly callbacks?: readonly Callback[] | undefined;
  /** Ends training between two steps with the signal's reason; a checkpoint is saved first. */
  readonly signal?: AbortSignal | undefined;
  readonly checkpoints?: CheckpointOptions | undefined;
}

export interface InferenceOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface FitResult {
  readonly history: readonly EpochRecord[];
  /** Optimiser steps taken, those before a resume included. */
  readonly steps: number;
  /** Why the run ended before its last epoch, or null. */
  readonly stopped: string | null;
}

/** A loss that is NaN or infinite. Code `non-finite`. */
export class NonFiniteError extends ConvokeError {
  override readonly name: string = 'NonFiniteError';
  constructor(message: string) {
    super('non-finite', message);
  }
}

/** What one call of `fit` works with. */
interface Fit {
  readonly source: BatchSource;
  readonly options: FitOptions;
  readonly position: Position;
  readonly run: Run;
  readonly generators: ModelGenerators;
  save(): Promise<void>;
}

export class Trainer {
  readonly model: Module;
  readonly optimizer: TrainableOptimizer;
  readonly #options: TrainerOptions;
  readonly #loss: Loss;
  readonly #trained: Trained;

  constructor(options: TrainerOptions) {
    const { model, optimizer, schedule = null, topK = 5, generators = {}, ignoreIndex } = options;
    if (typeof (model as Partial<Module> | undefined)?.forward !== 'function') {
      throw new DataError(`Trainer: model must be a module, got ${String(model)}`);
    }
    if (typeof (optimizer as Partial<TrainableOptimizer> | undefined)?.step !== 'function') {
      throw new DataError(
        `Trainer: optimizer must be an optimiser such as new SGD(model.parameters(), {lr: 0.1}), got ${String(optimizer)}`,
      );
    }
    if (!Number.isInteger(topK) || topK < 1) {
      throw new DataError(`Trainer: topK must be a whole number >= 1, got ${topK}`);
    }
    this.model = model;
    this.optimizer = optimizer;
    this.#options = options;
    this.#loss =
      options.loss ?? ((outputs, labels) => crossEntropy(outputs, labels, { ignoreIndex }));
    this.#trained = { model, optimizer, schedule, generators, topK };
  }

  /**
   * Trains up to `epochs` epochs. Throws a NonFiniteError that names the first bad op where the loss is NaN or infinite, a
   * DataError for labels and checkpoints that do not fit, and the signal's reason when aborted. A resumed run gives the
   * weights, bit for bit, of one that was never cut off. Afterwards the model is in evaluation mode.
   */
  async fit(source: BatchSource, options: FitOptions): Promise<FitResult> {
    const { epochs, validation, callbacks = [], signal, checkpoints } = options;
    expectSource('fit', source);
    if (validation !== undefined) expectSource('validation', validation);
    expectWhole('epochs', epochs, 0);
    if (checkpoints?.everySteps !== undefined) expectWhole('everySteps', checkpoints.everySteps, 1);
    signal?.throwIfAborted();
    await checkpoints?.store.prepare();
    const { config = {}, resume, store } = checkpoints ?? {};
    const settings: RunSettings = { config, epochs, batchesPerEpoch: source.batchesPerEpoch };
    const saved = resume ? await store?.load() : null;
    const position = saved ? resumeFrom(this.#trained, saved, settings) : startOf(this.#trained);
    const run: Run = {
      epochs,
      history: position.history,
      get steps() {
        return position.step;
      },
      stop: (reason) => {
        position.stopped ??= reason;
      },
    };
    const fit: Fit = {
      source,
      options,
      position,
      run,
      generators: new ModelGenerators(this.model),
      save: async () => store?.save(await checkpointOf(this.#trained, position, settings)),
    };
    try {
      for (const callback of callbacks) await callback.onStart?.(run);
      this.model.train();
      while (position.epoch < epochs && position.stopped === null) await this.#epoch(fit);
      this.model.eval();
    } finally {
      for (const callback of callbacks) await callback.onEnd?.(run);
    }
    return { history: position.history, steps: position.step, stopped: position.stopped };
  }

  /** Loss, accuracy, top-k accuracy and confusion matrix over the source's epoch 0, in evaluation mode. */
  async evaluate(source: BatchSource, options: InferenceOptions = {}): Promise<MetricsSummary> {
    expectSource('evaluate', source);
    const { ignoreIndex } = this.#options;
    const metrics = new Metrics(this.#trained.topK, { confusion: true });
    await this.#inference(source, options.signal, async (batch, number) => {
      const at = { epoch: 0, batch: number };
      const measured = await measure(this.model, this.#loss, batch, { at, ignoreIndex });
      metrics.add(measured.loss, measured.outputs, measured.outputShape, batch.labels, ignoreIndex);
    });
    return metrics.summary();
  }

  /** The model's outputs for the source's epoch 0, batches joined along the first axis, in evaluation mode. */
  async predict(
    source: BatchSource,
    options: InferenceOptions = {},
  ): Promise<{ data: Float32Array; shape: number[] }> {
    expectSource('predict', source);
    const parts: ArrayLike<number>[] = [];
    let rows = 0;
    let rest: readonly number[] = [];
    await this.#inference(source, options.signal, async (batch) => {
      const { outputs, outputShape } = await outputsOf(this.model, batch);
      parts.push(outputs);
      rows += outputShape[0] ?? 1;
      rest = outputShape.slice(1);
    });
    const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      data.set(part, offset);
      offset += part.length;
    }
    return { data, shape: [rows, ...rest] };
  }

  /**
   * Moves model, gradients and optimiser state to another backend together: all are copied, then switched in one
   * synchronous step; a failure leaves them where they were.
   */
  async to(backend: Backend): Promise<void> {
    const slots = [...this.model.stateDict().values(), ...this.optimizer.stateDict().values()];
    await moveSlots(slots, backend);
  }

  /** One epoch from the position on, its record, and its checkpoints. */
  async #epoch(fit: Fit): Promise<void> {
    const { options, position, run } = fit;
    const { validation, callbacks = [], checkpoints } = options;
    await this.#steps(fit);
    const record = await this.#record(fit);
    position.history.push(record);
    const metrics = new Metrics(this.#trained.topK);
    Object.assign(position, { epoch: position.epoch + 1, batch: 0, seconds: 0, metrics });
    const usual = validation ? 'validationLoss' : 'loss';
    this.#observe(record, this.#options.scheduleMonitor ?? usual);
    for (const callback of callbacks) await callback.onEpochEnd?.(record, run);
    if (!checkpoints) return;
    if (bestEpoch(position.history, checkpoints.best ?? usual) === record) {
      await checkpoints.store.saveBest(await readSlots(this.model.stateDict()), record);
    }
    await fit.save();
  }

  #observe(record: EpochRecord, monitor: Monitor): void {
    const { schedule } = this.#trained;
    if (!isEpochSchedule(schedule)) return;
    const value = record[monitor];
    if (value === null) {
      throw new DataError(
        `fit: the schedule watches ${monitor}, which is not measured; give fit a validation source, or the trainer another scheduleMonitor`,
      );
    }
    schedule.observe(value);
  }

  /** The steps of one epoch from the position on. */
  async #steps(fit: Fit): Promise<void> {
    const { source, options, position, run } = fit;
    const { signal, callbacks = [], checkpoints, epochs } = options;
    const { batchesPerEpoch } = source;
    for await (const batch of source.epoch(position.epoch, position.batch)) {
      if (signal?.aborted) {
        await fit.save();
        throw signal.reason;
      }
      const started = performance.now();
      const loss = await this.#step(batch, fit);
      position.seconds += (performance.now() - started) / 1000;
      position.batch++;
      position.step++;
      const { metrics, seconds } = position;
      const event = {
        epoch: position.epoch,
        epochs,
        batch: position.batch - 1,
        batchesPerEpoch,
        step: position.step,
        loss,
        meanLoss: metrics.loss,
        accuracy: metrics.accuracy,
        learningRate: this.optimizer.lr,
        imagesPerSecond: metrics.samples / Math.max(seconds, 1e-9),
      };
      for (const callback of callbacks) await callback.onStep?.(event, run);
      const every = checkpoints?.everySteps;
      if (every && position.step % every === 0 && position.batch < batchesPerEpoch) {
        await fit.save();
      }
    }
    if (position.batch !== batchesPerEpoch) {
      throw new DataError(
        `fit: the source gave ${position.batch} batches in epoch ${position.epoch}; its batchesPerEpoch is ${batchesPerEpoch}`,
      );
    }
  }

  /** One optimiser step. The loss is looked at before the weights change, so that a bad one can still be traced. */
  async #step(batch: Batch, { position, generators }: Fit): Promise<number> {
    const { optimizer, model } = this;
    const { ignoreIndex } = this.#options;
    const { schedule } = this.#trained;
    if (schedule) {
      const { lr, momentum } = schedule.at(position.step);
      optimizer.lr = lr;
      if (momentum !== undefined) optimizer.momentum = momentum;
    }
    this.#clearGradients();
    const drawn = generators.states();
    const { loss, outputs, outputShape } = await measure(model, this.#loss, batch, {
      at: position,
      ignoreIndex,
      backward,
    });
    if (!Number.isFinite(loss)) {
      this.#clearGradients();
      const reason = await this.#diagnose(batch, generators, drawn);
      throw new NonFiniteError(
        `the loss became ${loss} at step ${position.step + 1} (epoch ${position.epoch + 1}, batch ${position.batch + 1}, learning rate ${optimizer.lr}): ${reason}. A lower learning rate or gradient clipping often helps`,
      );
    }
    scope(() => {
      const { clipNorm, clipValue } = this.#options;
      if (clipValue !== undefined) clipGradValue(model.parameters(), { clipValue });
      if (clipNorm !== undefined) clipGradNorm(model.parameters(), { maxNorm: clipNorm });
      optimizer.step();
    });
    position.metrics.add(loss, outputs, outputShape, batch.labels, ignoreIndex);
    return loss;
  }

  /** Also of parameters that the optimiser was not given: they would add up from step to step, and count in clipNorm. */
  #clearGradients(): void {
    this.optimizer.zeroGrad();
    for (const slot of this.model.parameters()) slot.clearGrad();
  }

  /** Runs the batch again with the random numbers that it had, every op watched. */
  async #diagnose(
    batch: Batch,
    generators: ModelGenerators,
    drawn: GeneratorStates,
  ): Promise<string> {
    const { inputs, labels } = batchTensors(batch, backendOf(this.model));
    try {
      return await diagnose(this.model, this.#loss, inputs, labels, (f) =>
        generators.replay(drawn, f),
      );
    } finally {
      inputs.dispose();
      labels.dispose();
    }
  }

  async #inference(
    source: BatchSource,
    signal: AbortSignal | undefined,
    visit: (batch: Batch, number: number) => Promise<void>,
  ): Promise<void> {
    const { training } = this.model;
    this.model.eval();
    try {
      let number = 0;
      for await (const batch of source.epoch(0)) {
        signal?.throwIfAborted();
        await visit(batch, number++);
      }
    } finally {
      if (training) this.model.train();
    }
  }

  async #record({ position, options, save }: Fit): Promise<EpochRecord> {
    const { validation, signal } = options;
    let measured: MetricsSummary | null = null;
    try {
      measured = validation ? await this.evaluate(validation, { signal }) : null;
    } catch (error) {
      // All steps of the epoch are done: a resumed run begins with the validation.
      if (signal?.aborted) await save();
      throw error;
    }
    const { metrics } = position;
    return {
      epoch: position.epoch,
      loss: metrics.loss,
      accuracy: metrics.accuracy,
      validationLoss: measured?.loss ?? null,
      validationAccuracy: measured?.accuracy ?? null,
      learningRate: this.optimizer.lr,
      images: metrics.samples,
      seconds: position.seconds,
    };
  }
}

function expectWhole(name: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new DataError(`fit: ${name} must be a whole number >= ${min}, got ${value}`);
}
