// How users write the geometry of windows over [N, C, H, W] (kernel size, stride, padding, dilation), and the four numbers
// or pairs that the catalogue's ops take. Shape rules are the catalogue's; here is what it cannot see: the user's options.

import { formatShape, ShapeError, type Padding2d, type Pair } from '@convoke/backend-api';

import type { Tensor } from '../tensor.ts';

/** One number for both axes, or [height, width]. */
export type PairOption = number | readonly [number, number];

/** One number for all sides, [height, width], or [top, bottom, left, right]. */
export type PaddingOption =
  | number
  | readonly [number, number]
  | readonly [number, number, number, number];

export const noPadding: Padding2d = [0, 0, 0, 0];
export const undilated: Pair = [1, 1];

function isWhole(values: readonly unknown[], least: number): boolean {
  return values.every((value) => Number.isSafeInteger(value) && (value as number) >= least);
}

export function pairOf(op: string, what: string, value: PairOption, least = 1): Pair {
  const pair: readonly number[] = typeof value === 'number' ? [value, value] : value;
  if (!Array.isArray(pair) || pair.length !== 2 || !isWhole(pair, least)) {
    throw new ShapeError(
      `${op}: ${what} must be a whole number >= ${least} or a pair [height, width] of them, got ${shown(value)}`,
    );
  }
  return [pair[0]!, pair[1]!];
}

export function paddingOf(op: string, value: PaddingOption, words: readonly string[]): Padding2d {
  const list: readonly number[] = typeof value === 'number' ? [value] : value;
  if (!Array.isArray(list) || ![1, 2, 4].includes(list.length) || !isWhole(list, 0)) {
    const named = words.map((word) => `, '${word}'`).join('');
    throw new ShapeError(
      `${op}: padding must be a whole number >= 0, [height, width], [top, bottom, left, right]${named}; got ${shown(value)}`,
    );
  }
  const [a, b = a, c, d] = list as [number, number?, number?, number?];
  return c === undefined ? [a, a, b!, b!] : [a, b!, c, d!];
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return formatShape(value);
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/** Height and width of [N, C, H, W]; 0 where an axis is missing, which the op's own rule then reports. */
export function spatialSize(x: Tensor): Pair {
  return [x.shape[2] ?? 0, x.shape[3] ?? 0];
}

/** Elements that a kernel with `dilation` between its taps reaches over. */
export function reachOf(kernelSize: Pair, dilation: Pair): Pair {
  return [(kernelSize[0] - 1) * dilation[0] + 1, (kernelSize[1] - 1) * dilation[1] + 1];
}

/** Padding that keeps the input's size at stride 1; the odd element goes to the bottom and right, as in PyTorch. */
export function samePadding(reach: Pair): Padding2d {
  return sides([reach[0] - 1, reach[1] - 1]);
}

/** TensorFlow's: the least padding that gives ceil(input / stride) windows; the odd element goes to the bottom and right. */
export function sameTensorflowPadding(input: Pair, reach: Pair, stride: Pair): Padding2d {
  const total = [0, 1].map((axis) => {
    const windows = Math.ceil(input[axis]! / stride[axis]!);
    return Math.max((windows - 1) * stride[axis]! + reach[axis]! - input[axis]!, 0);
  });
  return sides([total[0]!, total[1]!]);
}

function sides([height, width]: Pair): Padding2d {
  const [top, left] = [Math.floor(height / 2), Math.floor(width / 2)];
  return [top, height - top, left, width - left];
}
