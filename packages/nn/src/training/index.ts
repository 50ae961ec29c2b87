// Training: the loop, what it is fed, what it reports and what it saves.

export {
  NonFiniteError,
  Trainer,
  type CheckpointOptions,
  type FitOptions,
  type FitResult,
  type InferenceOptions,
  type TrainerOptions,
} from './trainer.ts';
export type { EpochSchedule, StepSchedule, TrainableOptimizer } from './run.ts';
export { type Batch, type BatchSource } from './batch.ts';
export {
  bestEpoch,
  earlyStopping,
  type Callback,
  type EarlyStoppingOptions,
  type EpochRecord,
  type Monitor,
  type Run,
  type StepEvent,
} from './callbacks.ts';
export {
  readSlots,
  type Checkpoint,
  type CheckpointStore,
  type HostTensors,
  type TrainingState,
} from './checkpoint.ts';
export {
  argmaxAt,
  formatConfusion,
  Metrics,
  type MetricsState,
  type MetricsSummary,
} from './metrics.ts';
export { progress, type ProgressStream } from './progress.ts';
export { renderReport, type ReportOptions } from './report.ts';
