// Layers by family.

export { Conv2d, ConvTranspose2d, type Conv2dConfig, type ConvTranspose2dConfig } from './conv.ts';
export { DepthwiseSeparable, type DepthwiseSeparableConfig } from './depthwise-separable.ts';
export { LocallyConnected2d, type LocallyConnected2dConfig } from './locally-connected.ts';
export { Flatten, Identity, Linear, type FlattenConfig, type LinearConfig } from './linear.ts';
export { BatchNorm2d, type BatchNorm2dConfig } from './batch-norm.ts';
export {
  GroupNorm,
  LayerNorm,
  LocalResponseNorm,
  type GroupNormConfig,
  type LayerNormConfig,
} from './normalization.ts';
export { AdaptiveAvgPool2d, AdaptiveMaxPool2d, AvgPool2d, MaxPool2d, Upsample } from './pooling.ts';
export {
  Dropout,
  StochasticDepth,
  type DropoutConfig,
  type StochasticDepthConfig,
} from './dropout.ts';
export { SqueezeExcite, type SqueezeExciteConfig } from './squeeze-excite.ts';
export { Branches, Residual, Sequential, type Modules, type ResidualConfig } from './containers.ts';
export * from './activations.ts';
