// Convolutions of images [N, C, H, W] with filters [O, C/groups, kH, kW]: cross-correlation as every framework means it,
// true convolution, and the transposed one.

import {
  formatShape,
  ShapeError,
  type FusedActivation,
  type Padding2d,
  type Pair,
} from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { relu, relu6 } from './activations.ts';
import { expectFloat32 } from './checks.ts';
import { add } from './elementwise.ts';
import {
  noPadding,
  paddingOf,
  pairOf,
  reachOf,
  samePadding,
  sameTensorflowPadding,
  spatialSize,
  undilated,
  type PaddingOption,
  type PairOption,
} from './geometry.ts';
import { flip, reshape } from './movement.ts';
import { pad } from './pad.ts';

export type { PaddingOption, PairOption } from './geometry.ts';

export interface Conv2dOptions {
  /** [O]. */
  readonly bias?: Tensor | undefined;
  /** Default 1. */
  readonly stride?: PairOption | undefined;
  /**
   * Default 0. `'valid'` is 0; `'same'` keeps height and width (stride 1 only); `'same-tensorflow'` gives
   * ceil(input / stride). Both put an odd element at the bottom and right.
   */
  readonly padding?: PaddingOption | 'valid' | 'same' | 'same-tensorflow' | undefined;
  /** What stands in the padding. Default `'zeros'`. */
  readonly paddingMode?: 'zeros' | 'reflect' | 'replicate' | 'circular' | undefined;
  /** Distance between the kernel's taps. Default 1. */
  readonly dilation?: PairOption | undefined;
  /** Channels are convolved in this many separate groups. Default 1. */
  readonly groups?: number | undefined;
  /** Applied to the result. Default `'none'`. */
  readonly activation?: FusedActivation | undefined;
}

function conv2dPadding(
  padding: NonNullable<Conv2dOptions['padding']>,
  input: Pair,
  reach: Pair,
  stride: Pair,
): Padding2d {
  if (padding === 'valid') return noPadding;
  if (padding === 'same-tensorflow') return sameTensorflowPadding(input, reach, stride);
  if (padding !== 'same') {
    return paddingOf('conv2d', padding, ['valid', 'same', 'same-tensorflow']);
  }
  if (stride[0] !== 1 || stride[1] !== 1) {
    throw new ShapeError(
      `conv2d: padding 'same' keeps the input's size and needs stride 1, got stride ${formatShape(stride)}; use numbers, or 'same-tensorflow' for ceil(input / stride)`,
    );
  }
  return samePadding(reach);
}

/**
 * Cross-correlation: x [N, C, H, W] with weight [O, C/groups, kH, kW] to [N, O, H', W'], where
 * H' = floor((H + top + bottom - dilation (kH - 1) - 1) / stride) + 1.
 * Throws a ShapeError where channels, groups, kernel and padding do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias, paddingMode = 'zeros', groups = 1, activation = 'none' } = options;
  const stride = pairOf('conv2d', 'stride', options.stride ?? 1);
  const rhsDilation = pairOf('conv2d', 'dilation', options.dilation ?? 1);
  const reach = reachOf(spatialSize(weight), rhsDilation);
  const padding = conv2dPadding(options.padding ?? 0, spatialSize(x), reach, stride);
  if (!['zeros', 'reflect', 'replicate', 'circular'].includes(paddingMode)) {
    throw new ShapeError(
      `conv2d: paddingMode must be 'zeros', 'reflect', 'replicate' or 'circular', got '${String(paddingMode)}'`,
    );
  }
  if (!['none', 'relu', 'relu6'].includes(activation)) {
    throw new ShapeError(
      `conv2d: activation must be 'none', 'relu' or 'relu6', got '${String(activation)}'; apply others to the result`,
    );
  }
  return scope(() => {
    const padsFirst = paddingMode !== 'zeros' && x.shape.length === 4 && padding.some((n) => n > 0);
    const [top, bottom, left, right] = padding;
    const image = padsFirst
      ? pad(x, {
          padding: [
            [top, bottom],
            [left, right],
          ],
          mode: paddingMode,
        })
      : x;
    const attributes = {
      stride,
      padding: padsFirst ? noPadding : padding,
      lhsDilation: undilated,
      rhsDilation,
      groups,
    };
    if (bias) {
      return run('fusedConv2d', [image, weight, bias], {
        ...attributes,
        activation,
        residual: false,
      });
    }
    const y = run('conv2d', [image, weight], attributes);
    if (activation === 'none') return y;
    return activation === 'relu' ? relu(y) : relu6(y);
  });
}

/** Convolution in the mathematician's sense: `conv2d` with every kernel turned by 180 degrees. */
export function convolve2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  if (weight.shape.length !== 4) return conv2d(x, weight, options);
  return scope(() => conv2d(x, flip(weight, { axes: [2, 3] }), options));
}

export interface ConvTranspose2dOptions {
  /** [O]. */
  readonly bias?: Tensor | undefined;
  /** Default 1. */
  readonly stride?: PairOption | undefined;
  /** Rows and columns taken off the result. Default 0. */
  readonly padding?: PaddingOption | undefined;
  /** Rows and columns added at the bottom and right; less than the larger of stride and dilation. Default 0. */
  readonly outputPadding?: PairOption | undefined;
  /** Default 1. */
  readonly dilation?: PairOption | undefined;
  /** Default 1. */
  readonly groups?: number | undefined;
}

function expectTransposed(x: Tensor, weight: Tensor, groups: number): void {
  const op = 'convTranspose2d';
  expectFloat32(op, 'input', x);
  expectFloat32(op, 'weight', weight);
  if (x.shape.length !== 4 || weight.shape.length !== 4) {
    throw new ShapeError(
      `${op}: the input has shape ${formatShape(x.shape)} and the weight ${formatShape(weight.shape)}; expected [N, C, H, W] and [C, O/groups, kH, kW]`,
    );
  }
  const [channels, expected] = [x.shape[1]!, weight.shape[0]!];
  if (channels !== expected) {
    throw new ShapeError(
      `${op}: the input ${formatShape(x.shape)} has ${channels} channels, but the weight ${formatShape(weight.shape)} takes ${expected}; its first axis counts the input's channels`,
    );
  }
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new ShapeError(
      `${op}: groups must be a whole number >= 1 that divides the ${channels} channels, got ${groups}`,
    );
  }
}

/**
 * The padding of the convolution whose gradient this is. Its size rule rounds away outputPadding below the stride; more than
 * that is taken from the bottom and right, so that the sizes agree.
 */
function widened(padding: Padding2d, outputPadding: Pair, stride: Pair): Padding2d {
  const high = (axis: 0 | 1): number =>
    outputPadding[axis] < stride[axis] ? 0 : outputPadding[axis];
  const [top, bottom, left, right] = padding;
  return [top, bottom - high(0), left, right - high(1)];
}

/**
 * Transposed convolution: x [N, C, H, W] with weight [C, O/groups, kH, kW] to [N, O, H', W'], where
 * H' = (H - 1) stride - top - bottom + dilation (kH - 1) + outputPadding + 1.
 * Throws a ShapeError where channels, groups and sizes do not fit.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  options: ConvTranspose2dOptions = {},
): Tensor {
  const op = 'convTranspose2d';
  const { bias, groups = 1 } = options;
  const stride = pairOf(op, 'stride', options.stride ?? 1);
  const rhsDilation = pairOf(op, 'dilation', options.dilation ?? 1);
  const outputPadding = pairOf(op, 'outputPadding', options.outputPadding ?? 0, 0);
  const padding = paddingOf(op, options.padding ?? 0, []);
  expectTransposed(x, weight, groups);
  for (const axis of [0, 1] as const) {
    const limit = Math.max(stride[axis], rhsDilation[axis]);
    if (outputPadding[axis] >= limit) {
      throw new ShapeError(
        `${op}: outputPadding ${formatShape(outputPadding)} must be less than the larger of stride ${formatShape(stride)} and dilation ${formatShape(rhsDilation)}`,
      );
    }
  }
  const reach = reachOf(spatialSize(weight), rhsDilation);
  const size = (axis: 0 | 1): number =>
    (spatialSize(x)[axis] - 1) * stride[axis] -
    padding[axis * 2]! -
    padding[axis * 2 + 1]! +
    reach[axis] +
    outputPadding[axis];
  const inputSize: Pair = [size(0), size(1)];
  if (inputSize[0] < 1 || inputSize[1] < 1) {
    throw new ShapeError(
      `${op}: the result would be ${formatShape(inputSize)} high and wide; expected at least 1. The input is ${formatShape(x.shape)}, the weight ${formatShape(weight.shape)}, the padding ${formatShape(padding)}`,
    );
  }
  const outputs = weight.shape[1]! * groups;
  if (bias && formatShape(bias.shape) !== formatShape([outputs])) {
    throw new ShapeError(
      `${op}: the bias has shape ${formatShape(bias.shape)}; expected ${formatShape([outputs])}`,
    );
  }
  return scope(() => {
    const y = run('conv2dInputGradient', [x, weight], {
      stride,
      padding: widened(padding, outputPadding, stride),
      lhsDilation: undilated,
      rhsDilation,
      groups,
      inputSize,
    });
    return bias ? add(y, reshape(bias, [outputs, 1, 1])) : y;
  });
}
