// Images [N, C, H, W] at another height and width: PyTorch's interpolate.

import { formatShape, ShapeError, type Pair } from '@convoke/backend-api';

import { fromHost } from '../creation.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { expectFloat32, expectImages } from './checks.ts';
import { pairOf, spatialSize, type PairOption } from './geometry.ts';
import { take } from './movement.ts';
import { adaptiveAvgPool2d } from './pooling.ts';
import {
  antialiasWeights,
  cubicWeights,
  linearWeights,
  nearestIndices,
  resample,
  type AxisSampling,
  type AxisWeights,
} from './resampling.ts';

export type InterpolationMode = 'nearest' | 'nearest-exact' | 'bilinear' | 'bicubic' | 'area';

export interface InterpolateOptions {
  /** The result's height and width. This or scaleFactor. */
  readonly size?: PairOption | undefined;
  /** The result's size over the input's; sizes are rounded down. */
  readonly scaleFactor?: number | readonly [number, number] | undefined;
  /**
   * Default `'nearest'` (the pixel whose corner is nearest above and left); `'nearest-exact'` goes by pixel centres,
   * `'area'` averages as adaptive pooling does.
   */
  readonly mode?: InterpolationMode | undefined;
  /** Bilinear and bicubic: the centres of the corner pixels fall on each other. Default false: the corners themselves do. */
  readonly alignCorners?: boolean | undefined;
  /** Bilinear and bicubic: kernels grow where the image shrinks, as Pillow has it. Default false. */
  readonly antialias?: boolean | undefined;
  /** Whether to look where the rounded sizes say, instead of where scaleFactor says. Default false. */
  readonly recomputeScaleFactor?: boolean | undefined;
}

const modes: readonly string[] = ['nearest', 'nearest-exact', 'bilinear', 'bicubic', 'area'];

function factorsOf(scaleFactor: number | readonly [number, number]): Pair {
  const pair =
    typeof scaleFactor === 'number' ? ([scaleFactor, scaleFactor] as const) : scaleFactor;
  if (pair.length !== 2 || !pair.every((factor) => factor > 0 && factor < Infinity)) {
    throw new ShapeError(
      `interpolate: scaleFactor must be a number > 0 or a pair [height, width] of them, got ${String(scaleFactor)}`,
    );
  }
  return pair;
}

/** Height and width of the result, and the factors to look by, where the user's own are. */
function target(
  input: Pair,
  { size, scaleFactor, recomputeScaleFactor = false }: InterpolateOptions,
): { output: Pair; factors: Pair | null } {
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new ShapeError(
      `interpolate: expected either size or scaleFactor, got ${size === undefined ? 'neither' : 'both'}`,
    );
  }
  if (size !== undefined) return { output: pairOf('interpolate', 'size', size), factors: null };
  const factors = factorsOf(scaleFactor!);
  const output: Pair = [Math.floor(input[0] * factors[0]), Math.floor(input[1] * factors[1])];
  if (output[0] < 1 || output[1] < 1) {
    throw new ShapeError(
      `interpolate: scaleFactor ${formatShape(factors)} leaves nothing of height and width ${formatShape(input)}; use a larger factor, or size`,
    );
  }
  return { output, factors: recomputeScaleFactor ? null : factors };
}

/**
 * x [N, C, H, W] resized. Weights are computed on the host; a NaN or infinity goes where it weighs something. Throws a
 * ShapeError for options that do not go together.
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = 'nearest', alignCorners = false, antialias = false } = options;
  if (!modes.includes(mode)) {
    throw new ShapeError(`interpolate: mode must be one of ${modes.join(', ')}; got ${mode}`);
  }
  const smooth = mode === 'bilinear' || mode === 'bicubic';
  if (!smooth && (alignCorners || antialias)) {
    throw new ShapeError(
      `interpolate: ${alignCorners ? 'alignCorners' : 'antialias'} goes with bilinear and bicubic, not with ${mode}`,
    );
  }
  expectImages('interpolate', x);
  // Copying pixels takes any dtype; weighing them does not.
  if (smooth || mode === 'area') expectFloat32('interpolate', 'input', x);
  const input = spatialSize(x);
  const { output, factors } = target(input, options);
  if (mode === 'area') return adaptiveAvgPool2d(x, { outputSize: output });
  const sampling = (axis: 0 | 1): AxisSampling => ({
    input: input[axis],
    output: output[axis],
    alignCorners,
    scaleFactor: factors ? factors[axis] : null,
  });
  if (!smooth) return pickNearest(x, sampling(0), sampling(1), mode === 'nearest-exact');
  const weights = (axis: 0 | 1): AxisWeights => {
    if (antialias) return antialiasWeights(mode, sampling(axis));
    return (mode === 'bilinear' ? linearWeights : cubicWeights)(sampling(axis));
  };
  return resample(x, weights(0), weights(1));
}

function pickNearest(x: Tensor, rows: AxisSampling, columns: AxisSampling, exact: boolean): Tensor {
  const indices = (sampling: AxisSampling): Tensor => {
    const list = Int32Array.from(nearestIndices(sampling, exact));
    return fromHost({ shape: [list.length], dtype: 'int32' }, list, x.backend);
  };
  return scope(() => take(take(x, indices(rows), { axis: 2 }), indices(columns), { axis: 3 }));
}
