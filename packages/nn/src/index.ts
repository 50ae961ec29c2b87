// Modules and layers, initial values, losses, optimisers, schedules, summaries, and the trainer. Runs anywhere; checkpoints,
// weights and reports on disk are in `@convoke/nn/node`.

export { Module } from './module.ts';
export type {
  HostTensor,
  LoadReport,
  LoadStateOptions,
  Mismatch,
  NamedTensors,
} from './state-dict.ts';
export * from './layers/index.ts';
export { defaultGenerator, manualSeed } from './random.ts';
export {
  constant,
  fansOf,
  gainOf,
  initialize,
  kaimingNormal,
  kaimingUniform,
  normal,
  ones,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
  zeros,
  type KaimingOptions,
  type Nonlinearity,
  type NormalInitOptions,
  type ParameterInfo,
  type RandomInitOptions,
  type TruncatedNormalInitOptions,
  type UniformInitOptions,
  type XavierOptions,
} from './init.ts';
export * from './losses.ts';
export * from './optimizers/index.ts';
export * from './schedules/index.ts';
export {
  clipGradNorm,
  clipGradValue,
  type ClipNormOptions,
  type ClipValueOptions,
} from './clip.ts';
export {
  compareBackends,
  type BackendComparison,
  type CompareOptions,
  type LayerComparison,
} from './compare.ts';
export { captureOutputs, type Captured } from './capture.ts';
export { formatSummary, summary, type LayerSummary, type ModelSummary } from './summary.ts';
export * from './training/index.ts';
