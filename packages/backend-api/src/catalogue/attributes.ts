// Every op of the catalogue with its static attributes: all that may select a kernel. What varies from step to step
// (learning rate, time step, random key) is an input tensor instead. The comments give inputs -> outputs.

import type { Dtype, Shape } from '../spec.ts';

export type None = Readonly<Record<never, never>>;

export type Pair = readonly [number, number];
/** [top, bottom, left, right], in elements; convolutions take negative ones, which crop. */
export type Padding2d = readonly [number, number, number, number];

export interface AxisAttributes {
  readonly axis: number;
}

export interface ReduceAttributes {
  /** Distinct axes, each in 0..rank-1. An empty list reduces nothing. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

export interface Conv2dAttributes {
  /** [height, width], as in all pairs here. */
  readonly stride: Pair;
  readonly padding: Padding2d;
  /** Zeros are put between input elements: `lhsDilation - 1` of them. 1 for an ordinary convolution. */
  readonly lhsDilation: Pair;
  /** Distance between filter taps: the usual `dilation`. */
  readonly rhsDilation: Pair;
  readonly groups: number;
}

export type FusedActivation = 'none' | 'relu' | 'relu6';

export interface FusedConv2dAttributes extends Conv2dAttributes {
  readonly activation: FusedActivation;
  /** Whether a residual of the output's shape, added before the activation, follows the bias. */
  readonly residual: boolean;
}

export interface Window2dAttributes {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  /** Each >= 0. Elements outside count as -infinity for a maximum and as 0 for a sum. */
  readonly padding: Padding2d;
  readonly dilation: Pair;
}

export interface AveragePool2dAttributes extends Window2dAttributes {
  /**
   * What a window's sum is divided by: `kernel` its size, a number that number; `valid` its elements inside the input,
   * `padded` those inside the input with `countedPadding` round it.
   */
  readonly divisor: 'kernel' | 'valid' | 'padded' | number;
  /** The padding that `padded` counts; what lies beyond (ceil mode) is never counted. */
  readonly countedPadding: Padding2d;
}

export interface OpAttributes {
  // Creation
  /** () -> `shape`, all `value`. */
  fill: { readonly shape: Shape; readonly dtype: Dtype; readonly value: number };
  /** () -> `shape`, each element its index along `axis`. float32 or int32. */
  iota: { readonly shape: Shape; readonly dtype: Dtype; readonly axis: number };
  /** (key int32 [2]) -> int32 `shape`, uniform whole numbers in [0, 2^24): see threefry.ts. */
  randomBits: { readonly shape: Shape };

  // Elementwise, one input
  /** Any dtype to any: float to int truncates (what lies out of range gives any number), to bool is `x !== 0`. */
  cast: { readonly dtype: Dtype };
  neg: None;
  abs: None;
  sign: None;
  exp: None;
  log: None;
  log1p: None;
  sqrt: None;
  sin: None;
  cos: None;
  tanh: None;
  erf: None;
  floor: None;
  /** To the nearest whole number, halves to even. */
  round: None;
  rsqrt: None;
  square: None;
  reciprocal: None;
  sigmoid: None;
  logSigmoid: None;
  relu: None;
  /** (gradient, y = relu(x), of one shape) -> the gradient where y > 0, 0 elsewhere. */
  reluGradient: None;
  /** Gradient 0 at both ends, as PyTorch's hardtanh and relu6 have it. */
  clamp: { readonly min: number; readonly max: number };
  leakyRelu: { readonly negativeSlope: number };
  elu: { readonly alpha: number };
  selu: None;
  silu: None;
  mish: None;
  softplus: None;
  softsign: None;
  hardswish: None;
  hardsigmoid: None;
  gelu: { readonly approximate: 'none' | 'tanh' };
  /** amplitude * tanh(slope * x): LeCun's squashing with 1.7159 and 2/3. */
  scaledTanh: { readonly amplitude: number; readonly slope: number };

  // Elementwise, two inputs that broadcast by NumPy's rules, of equal dtype
  add: None;
  sub: None;
  mul: None;
  div: None;
  /** float32 only, as div. */
  pow: None;
  minimum: None;
  maximum: None;
  /** -> bool, as all comparisons. */
  equal: None;
  notEqual: None;
  less: None;
  lessEqual: None;
  greater: None;
  greaterEqual: None;
  /** (bool condition, a, b), broadcast -> a where true, b elsewhere. */
  select: None;

  // Reductions
  reduceSum: ReduceAttributes;
  reduceMean: ReduceAttributes;
  reduceProd: ReduceAttributes;
  reduceMax: ReduceAttributes;
  reduceMin: ReduceAttributes;
  /** -> int32 index of the first extreme along the axis; NaN counts as the extreme. */
  argMax: { readonly axis: number; readonly keepDims: boolean };
  argMin: { readonly axis: number; readonly keepDims: boolean };
  /** Inclusive running sum. */
  cumsum: AxisAttributes;
  /** -> (sorted values, int32 indices); stable; NaN is largest. */
  sort: { readonly axis: number; readonly descending: boolean };

  // Movement
  reshape: { readonly shape: Shape };
  permute: { readonly permutation: readonly number[] };
  broadcastTo: { readonly shape: Shape };
  /** Zero or more elements of `value` before, after and between (interior) the elements of each axis. */
  pad: {
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly interior: readonly number[];
    readonly value: number;
  };
  /** `sizes[axis]` elements from `starts[axis]` on, every `steps[axis]`-th (>= 1). */
  slice: {
    readonly starts: readonly number[];
    readonly sizes: readonly number[];
    readonly steps: readonly number[];
  };
  flip: { readonly axes: readonly number[] };
  concat: AxisAttributes;
  /** (x, int32 indices of x's rank) -> shape of indices: y[i][j][k] = x[i][indices[i][j][k]][k] for axis 1. */
  gather: AxisAttributes;
  /** (x, int32 indices, updates of the indices' shape) -> x with updates[i][j][k] added at [i][indices[i][j][k]][k]. */
  scatterAdd: AxisAttributes;

  // Linear algebra
  /** (a [..., M, K], b [..., K, N]) -> [..., M, N]; leading axes broadcast; transposed inputs are stored the other way. */
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean };
  /** (x [N, C, H, W], filter [O, C/groups, kH, kW]) -> [N, O, H', W'], cross-correlation. */
  conv2d: Conv2dAttributes;
  /** (x, filter, bias [O], residual?) -> activation(conv2d + bias + residual). */
  fusedConv2d: FusedConv2dAttributes;
  /** (gradient [N, O, H', W'], filter) -> gradient with respect to the input, of `inputSize` [H, W]. */
  conv2dInputGradient: Conv2dAttributes & { readonly inputSize: Pair };
  /** (x, gradient [N, O, H', W']) -> gradient with respect to the filter, of `kernelSize`. */
  conv2dFilterGradient: Conv2dAttributes & { readonly kernelSize: Pair };

  // Pooling of [N, C, H, W]
  /** -> (maxima, int32 indices h * W + w of the first maximum in its plane); NaN counts as the maximum. */
  maxPool2d: Window2dAttributes;
  /** (gradient, indices) -> [N, C, ...inputSize]: adds each gradient element at its index. */
  maxPool2dGradient: { readonly inputSize: Pair };
  sumPool2d: Window2dAttributes;
  /** (gradient) -> [N, C, ...inputSize]. */
  sumPool2dGradient: Window2dAttributes & { readonly inputSize: Pair };
  averagePool2d: AveragePool2dAttributes;
  averagePool2dGradient: AveragePool2dAttributes & { readonly inputSize: Pair };

  // Resampling along an axis
  /**
   * (x, weights [output, taps], int32 starts [output], transposedWeights [length, transposedTaps], int32 transposedStarts
   * [length]) -> x with `output` elements for the `length` of the axis: y[i] = sum over t of weights[i][t] * x[starts[i] + t].
   * A tap whose weight is 0, or that looks outside the axis, adds nothing, whatever is there. The transposed windows are those
   * by which the gradient of x is made of y's: the forward does not read them, nor does a gradient flow into any of the four.
   */
  resample: AxisAttributes;

  // Normalisation: channels are axis 1 of [N, C, ...]
  /** (x, weight [C], bias [C]) -> (y, mean [C], variance [C]), the variance biased. */
  batchNormTrain: { readonly epsilon: number };
  /** (gradient, x, weight, mean, variance) -> gradients of (x, weight, bias). */
  batchNormTrainGradient: { readonly epsilon: number };
  /** (x, weight, bias, mean, variance) -> (x - mean) / sqrt(variance + epsilon) * weight + bias. */
  batchNormEval: { readonly epsilon: number };
  /** x / (k + alpha / size * sum of x^2 over `size` neighbouring channels)^beta. */
  localResponseNorm: {
    readonly size: number;
    readonly alpha: number;
    readonly beta: number;
    readonly k: number;
  };
  softmax: AxisAttributes;
  logSoftmax: AxisAttributes;
  /** (logits [N, C], int32 classes [N]) -> (losses [N], log-probabilities [N, C]). */
  softmaxCrossEntropy: None;
  /** (gradient [N], logits, log-probabilities [N, C], classes [N]) -> [N, C]. */
  softmaxCrossEntropyGradient: None;

  // Optimiser steps over lists of parameters; the numbers that vary are rank-0 inputs
  /**
   * (lr, then parameter, gradient for each) -> (parameter for each), or with velocities
   * (lr, momentum, then parameter, gradient, velocity for each) -> (parameter, velocity for each).
   */
  sgdStep: SgdStepAttributes;
  /**
   * (lr, stepSize, root, beta1, then parameter, gradient, m, v for each) -> (parameter, m, v for each), where after t steps
   * stepSize = lr / (1 - beta1^t) and root = sqrt(1 - beta2^t), computed by the caller in float64.
   */
  adamStep: AdamStepAttributes;
}

export interface SgdStepAttributes {
  /** Whether there are a momentum and velocities among inputs and outputs. */
  readonly velocity: boolean;
  /** velocity = momentum * velocity + (1 - dampening) * gradient */
  readonly dampening: number;
  readonly nesterov: boolean;
  /** L2: added to the gradient. */
  readonly weightDecay: number;
}

export interface AdamStepAttributes {
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** AdamW: the decay shrinks parameters by lr * weightDecay instead of joining the gradient. */
  readonly decoupled: boolean;
}

export type OpName = keyof OpAttributes;
