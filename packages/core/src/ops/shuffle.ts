// Rearrangements between channels and space, and among channels: reshapes and one permutation each.

import { formatShape, ShapeError } from '@convoke/backend-api';

import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { permute, reshape } from './movement.ts';

function expectCount(op: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new ShapeError(`${op}: ${what} must be a whole number >= 1, got ${value}`);
  }
}

function imageShape(op: string, x: Tensor): [number, number, number, number] {
  if (x.shape.length !== 4) {
    throw new ShapeError(
      `${op}: the input has shape ${formatShape(x.shape)}; expected 4 axes [N, C, H, W]`,
    );
  }
  return [x.shape[0]!, x.shape[1]!, x.shape[2]!, x.shape[3]!];
}

/**
 * [N, C r^2, H, W] to [N, C, H r, W r] for factor r: channels become pixels (Shi et al. 2016, arXiv:1609.05158).
 * Throws a ShapeError where r^2 does not divide the channels.
 */
export function pixelShuffle(x: Tensor, { factor }: { readonly factor: number }): Tensor {
  expectCount('pixelShuffle', 'factor', factor);
  const [n, channels, height, width] = imageShape('pixelShuffle', x);
  const result = channels / (factor * factor);
  if (!Number.isInteger(result)) {
    throw new ShapeError(
      `pixelShuffle: factor ${factor} needs a multiple of ${factor * factor} channels; the input ${formatShape(x.shape)} has ${channels}`,
    );
  }
  return scope(() => {
    const split = reshape(x, [n, result, factor, factor, height, width]);
    const woven = permute(split, [0, 1, 4, 2, 5, 3]);
    return reshape(woven, [n, result, height * factor, width * factor]);
  });
}

/** The inverse of `pixelShuffle`: [N, C, H r, W r] to [N, C r^2, H, W]. */
export function pixelUnshuffle(x: Tensor, { factor }: { readonly factor: number }): Tensor {
  expectCount('pixelUnshuffle', 'factor', factor);
  const [n, channels, height, width] = imageShape('pixelUnshuffle', x);
  if (height % factor !== 0 || width % factor !== 0) {
    throw new ShapeError(
      `pixelUnshuffle: factor ${factor} does not divide height and width of the input ${formatShape(x.shape)}`,
    );
  }
  const [rows, columns] = [height / factor, width / factor];
  return scope(() => {
    const split = reshape(x, [n, channels, rows, factor, columns, factor]);
    const sorted = permute(split, [0, 1, 3, 5, 2, 4]);
    return reshape(sorted, [n, channels * factor * factor, rows, columns]);
  });
}

/**
 * Channels of [N, C, ...] dealt out in turn: with groups g, channel i g' + j goes to j g + i, where g' = C / g
 * (ShuffleNet: Zhang et al. 2018, arXiv:1707.01083). Throws a ShapeError where groups do not divide the channels.
 */
export function channelShuffle(x: Tensor, { groups }: { readonly groups: number }): Tensor {
  expectCount('channelShuffle', 'groups', groups);
  const [n, channels, ...rest] = x.shape;
  if (n === undefined || channels === undefined || channels % groups !== 0) {
    throw new ShapeError(
      `channelShuffle: the input has shape ${formatShape(x.shape)}; expected [N, C, ...] with C a multiple of groups ${groups}`,
    );
  }
  return scope(() => {
    const split = reshape(x, [n, groups, channels / groups, ...positions(rest)]);
    const dealt = permute(split, [0, 2, 1, 3]);
    return reshape(dealt, x.shape);
  });
}

/** All remaining axes as one, so that the split never exceeds the highest rank. */
function positions(rest: readonly number[]): [number] {
  return [rest.reduce((product, length) => product * length, 1)];
}
