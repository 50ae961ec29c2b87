// The kernels of the textbooks. "Vertical" is the edge, not the direction of the difference: a vertical edge is bright on its
// left and dark on its right, the negative one the other way round.

import { ImageError } from '../errors.ts';
import { gaussianWeights, type GaussianBlurOptions } from '../floats/blur.ts';

/** Weights `[height, width]` in C order. */
export interface FilterKernel {
  readonly height: number;
  readonly width: number;
  readonly weights: readonly number[];
}

/** A kernel of its rows. Throws an ImageError where they are none, ragged or not finite. */
export function kernel(rows: readonly (readonly number[])[]): FilterKernel {
  const width = rows[0]?.length ?? 0;
  const weights = rows.flat();
  if (width === 0 || rows.some((row) => row.length !== width) || !weights.every(Number.isFinite)) {
    throw new ImageError('argument', 'a kernel is rows of finite numbers, all of one length');
  }
  return { height: rows.length, width, weights };
}

type Triple = readonly [number, number, number];

/** Left minus right, the rows weighed. */
const across = ([a, b, c]: Triple): FilterKernel => ({
  height: 3,
  width: 3,
  weights: [a, 0, -a, b, 0, -b, c, 0, -c],
});
/** Top minus bottom, the columns weighed. */
const down = ([a, b, c]: Triple): FilterKernel => ({
  height: 3,
  width: 3,
  weights: [a, b, c, 0, 0, 0, -a, -b, -c],
});
const square = (weights: readonly number[]): FilterKernel => ({ height: 3, width: 3, weights });

export type KernelName =
  | 'verticalEdges'
  | 'verticalEdgesNegative'
  | 'horizontalEdges'
  | 'horizontalEdgesNegative'
  | 'prewittX'
  | 'prewittY'
  | 'sobelX'
  | 'sobelY'
  | 'scharrX'
  | 'scharrY'
  | 'laplacian'
  | 'laplacianDiagonal'
  | 'sharpen'
  | 'box'
  | 'identity';

/** `X` differs along x and so answers to vertical edges. Prewitt's operators are the plain edge filters under their own name. */
export const KERNELS: Readonly<Record<KernelName, FilterKernel>> = {
  verticalEdges: across([1, 1, 1]),
  verticalEdgesNegative: across([-1, -1, -1]),
  horizontalEdges: down([1, 1, 1]),
  horizontalEdgesNegative: down([-1, -1, -1]),
  prewittX: across([1, 1, 1]),
  prewittY: down([1, 1, 1]),
  sobelX: across([1, 2, 1]),
  sobelY: down([1, 2, 1]),
  scharrX: across([3, 10, 3]),
  scharrY: down([3, 10, 3]),
  laplacian: square([0, 1, 0, 1, -4, 1, 0, 1, 0]),
  laplacianDiagonal: square([1, 1, 1, 1, -8, 1, 1, 1, 1]),
  sharpen: square([0, -1, 0, -1, 5, -1, 0, -1, 0]),
  box: square(Array<number>(9).fill(1 / 9)),
  identity: square([0, 0, 0, 0, 1, 0, 0, 0, 0]),
};

/** A square of Gaussian weights that add up to 1. Throws an ImageError for an even size or a sigma of 0 or less. */
export function gaussianKernel(options: GaussianBlurOptions): FilterKernel {
  const axis = gaussianWeights(options);
  const weights = Array.from(axis, (a) => Array.from(axis, (b) => a * b)).flat();
  return { height: axis.length, width: axis.length, weights };
}
