// Pooling of images [N, C, H, W]: the largest or the mean element of each window, of windows that tile the image into a
// given number of cells (adaptive), or of the whole image (global).

import {
  formatShape,
  ShapeError,
  type Padding2d,
  type Pair,
  type Window2dAttributes,
} from '@convoke/backend-api';

import { fromHost } from '../creation.ts';
import { dispatch, run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { expectFloat32, expectImages } from './checks.ts';
import {
  noPadding,
  paddingOf,
  pairOf,
  reachOf,
  sameTensorflowPadding,
  spatialSize,
  undilated,
  type PaddingOption,
  type PairOption,
} from './geometry.ts';
import { take } from './movement.ts';
import { mean } from './reduce.ts';
import { areaWeights, cells, resample } from './resampling.ts';

interface Pool2dOptions {
  readonly kernelSize: PairOption;
  /** Default: the kernel's size. */
  readonly stride?: PairOption | undefined;
  /** At most half the kernel. Default 0, which is `'valid'`; `'same-tensorflow'` gives ceil(input / stride). */
  readonly padding?: PaddingOption | 'valid' | 'same-tensorflow' | undefined;
  /** Whether a last window may reach beyond the padding, if it starts before its end. Default false. */
  readonly ceilMode?: boolean | undefined;
}

export interface MaxPool2dOptions extends Pool2dOptions {
  /** Default 1. */
  readonly dilation?: PairOption | undefined;
}

export interface AvgPool2dOptions extends Pool2dOptions {
  /**
   * Whether padding counts as elements of its windows. Default true; false with padding `'same-tensorflow'`, as TensorFlow
   * has it.
   */
  readonly countIncludePad?: boolean | undefined;
  /** What to divide each window's sum by, instead of its size. */
  readonly divisorOverride?: number | undefined;
}

function userPadding(
  op: string,
  padding: NonNullable<Pool2dOptions['padding']>,
  input: Pair,
  kernelSize: Pair,
  dilation: Pair,
  stride: Pair,
): Padding2d {
  if (padding === 'valid') return noPadding;
  if (padding === 'same-tensorflow') {
    return sameTensorflowPadding(input, reachOf(kernelSize, dilation), stride);
  }
  const sides = paddingOf(op, padding, ['valid', 'same-tensorflow']);
  if (sides.some((length, side) => length > kernelSize[side >> 1]! / 2)) {
    throw new ShapeError(
      `${op}: padding ${formatShape(sides)} must be at most half of kernelSize ${formatShape(kernelSize)}, or some windows would hold nothing but padding`,
    );
  }
  return sides;
}

/** The bottom and right padding that makes room for the last windows of ceil mode. */
function ceilPadding(padding: Padding2d, input: Pair, reach: Pair, stride: Pair): Padding2d {
  return [0, 1].flatMap((axis) => {
    const [low, high] = [padding[axis * 2]!, padding[axis * 2 + 1]!];
    const room = input[axis]! + low + high;
    let windows = Math.ceil((room - reach[axis]!) / stride[axis]!) + 1;
    // A window that starts beyond the input and its leading padding is left out.
    if ((windows - 1) * stride[axis]! >= input[axis]! + low) windows--;
    return [low, high + Math.max((windows - 1) * stride[axis]! + reach[axis]! - room, 0)];
  }) as unknown as Padding2d;
}

/** The catalogue's window, and the padding as the user counts it (without the room for ceil mode). */
function windowOf(
  op: string,
  x: Tensor,
  options: MaxPool2dOptions,
): { window: Window2dAttributes; counted: Padding2d } {
  const kernelSize = pairOf(op, 'kernelSize', options.kernelSize);
  const stride = pairOf(op, 'stride', options.stride ?? kernelSize);
  const dilation = pairOf(op, 'dilation', options.dilation ?? 1);
  const input = spatialSize(x);
  const counted = userPadding(op, options.padding ?? 0, input, kernelSize, dilation, stride);
  const padding = options.ceilMode
    ? ceilPadding(counted, input, reachOf(kernelSize, dilation), stride)
    : counted;
  return { window: { kernelSize, stride, padding, dilation }, counted };
}

/** The largest element of each window: [N, C, H, W] to [N, C, H', W']. Of equal ones, the first takes the gradient. */
export function maxPool2d(x: Tensor, options: MaxPool2dOptions): Tensor {
  return run('maxPool2d', [x], windowOf('maxPool2d', x, options).window);
}

/** As `maxPool2d`, with the int32 indices h * W + w of the largest elements in their planes. */
export function maxPool2dWithIndices(
  x: Tensor,
  options: MaxPool2dOptions,
): { values: Tensor; indices: Tensor } {
  const [values, indices] = dispatch('maxPool2d', [x], windowOf('maxPool2d', x, options).window);
  return { values: values!, indices: indices! };
}

/** The mean of each window: [N, C, H, W] to [N, C, H', W']. */
export function avgPool2d(x: Tensor, options: AvgPool2dOptions): Tensor {
  const { divisorOverride, countIncludePad = options.padding !== 'same-tensorflow' } = options;
  const { window, counted } = windowOf('avgPool2d', x, options);
  if (
    divisorOverride !== undefined &&
    !(Number.isFinite(divisorOverride) && divisorOverride !== 0)
  ) {
    throw new ShapeError(
      `avgPool2d: divisorOverride must be a finite number other than 0, got ${divisorOverride}`,
    );
  }
  const within = window.padding.every((length, side) => length === counted[side]);
  // Windows that stay within what counts all hold a whole kernel.
  const whole = within && (countIncludePad || counted.every((length) => length === 0));
  return run('averagePool2d', [x], {
    ...window,
    divisor: divisorOverride ?? (whole ? 'kernel' : countIncludePad ? 'padded' : 'valid'),
    countedPadding: counted,
  });
}

export interface AdaptivePool2dOptions {
  /** One number for both, or [height, width]. */
  readonly outputSize: PairOption;
}

/** The window where both axes divide evenly into cells, or null. */
function evenWindow(input: Pair, output: Pair): Window2dAttributes | null {
  if (input.some((length, axis) => length === 0 || length % output[axis]! !== 0)) return null;
  const kernelSize: Pair = [input[0] / output[0], input[1] / output[1]];
  return { kernelSize, stride: kernelSize, padding: noPadding, dilation: undilated };
}

/**
 * The mean of each of outputSize cells: cell i of an axis covers floor(i in / out) to ceil((i + 1) in / out), so that cells
 * of uneven divisions overlap.
 */
export function adaptiveAvgPool2d(x: Tensor, options: AdaptivePool2dOptions): Tensor {
  const op = 'adaptiveAvgPool2d';
  const output = pairOf(op, 'outputSize', options.outputSize);
  expectImages(op, x);
  expectFloat32(op, 'input', x);
  const input = spatialSize(x);
  const window = evenWindow(input, output);
  if (!window) {
    return resample(x, areaWeights(input[0], output[0]), areaWeights(input[1], output[1]));
  }
  return run('averagePool2d', [x], { ...window, divisor: 'kernel', countedPadding: noPadding });
}

/** The largest element of each of outputSize cells, which are those of `adaptiveAvgPool2d`. */
export function adaptiveMaxPool2d(x: Tensor, options: AdaptivePool2dOptions): Tensor {
  const op = 'adaptiveMaxPool2d';
  const output = pairOf(op, 'outputSize', options.outputSize);
  expectImages(op, x);
  expectFloat32(op, 'input', x);
  const input = spatialSize(x);
  const window = evenWindow(input, output);
  if (window) return run('maxPool2d', [x], window);
  return scope(() => {
    const rows = evened(input[0], output[0]);
    const columns = evened(input[1], output[1]);
    const pick = (from: Tensor, list: number[], axis: number): Tensor =>
      take(
        from,
        fromHost({ shape: [list.length], dtype: 'int32' }, Int32Array.from(list), x.backend),
        {
          axis,
        },
      );
    const kernelSize: Pair = [rows.length / output[0], columns.length / output[1]];
    return run('maxPool2d', [pick(pick(x, rows, 2), columns, 3)], {
      kernelSize,
      stride: kernelSize,
      padding: noPadding,
      dilation: undilated,
    });
  });
}

/** The elements of all cells one after another, short cells filled up with their last element, which changes no maximum. */
function evened(input: number, output: number): number[] {
  const list = cells(input, output);
  const longest = Math.max(...list.map(({ start, end }) => end - start));
  return list.flatMap(({ start, end }) =>
    Array.from({ length: longest }, (_, i) => Math.min(start + i, end - 1)),
  );
}

/** The mean of each plane: [N, C, H, W] to [N, C]. */
export function globalAvgPool2d(x: Tensor): Tensor {
  expectImages('globalAvgPool2d', x);
  expectFloat32('globalAvgPool2d', 'input', x);
  return mean(x, { axis: [2, 3] });
}
