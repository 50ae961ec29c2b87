// The contract that binds Convoke's packages: the op catalogue, what a backend is, how one is found, and the errors.

export * from './errors.ts';
export * from './spec.ts';
export * from './threefry.ts';
export * from './backend.ts';
export * from './builder.ts';
export * from './program.ts';
export type * from './catalogue/attributes.ts';
export { catalogue, definition, isRequired, opNames } from './catalogue/index.ts';
export { SELU_ALPHA, SELU_SCALE } from './catalogue/elementwise.ts';
export {
  conv2dOutputSize,
  conv2dPart,
  matmulGeometry,
  type MatmulGeometry,
} from './catalogue/linear.ts';
export { window2dPart } from './catalogue/pooling.ts';
export { reducedShape } from './catalogue/reductions.ts';
export { compose, type Composer } from './catalogue/composing.ts';
export { createMeta, type MetaBackend } from './meta.ts';
export { createRecorder, type Recorder } from './recorder.ts';
export * from './registry.ts';
export { claimSingleCopy } from './single-copy.ts';
