// Normalisation over the batch, over the features of a sample, over groups of channels, and over neighbouring channels.
// Running statistics are the module's business: here they are given, or returned.

import { formatShape, sameShape, ShapeError, sizeOf, type Shape } from '@convoke/backend-api';

import { dispatch, run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { expectFloat32 } from './checks.ts';
import { add, mul, rsqrt, square, sub } from './elementwise.ts';
import { reshape } from './movement.ts';
import { mean } from './reduce.ts';

export interface AffineOptions {
  /** Factor after normalising. Default 1. */
  readonly weight?: Tensor | undefined;
  /** Term after the factor. Default 0. */
  readonly bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number | undefined;
}

export interface BatchNormOptions extends AffineOptions {
  /** [C]. */
  readonly mean: Tensor;
  /** [C]. */
  readonly variance: Tensor;
}

function expectEpsilon(op: string, epsilon: number): void {
  if (!(epsilon >= 0 && epsilon < Infinity)) {
    throw new ShapeError(`${op}: epsilon must be a finite number >= 0, got ${epsilon}`);
  }
}

/** [C] of one value for x [N, C, ...]; a missing axis is reported by the op's own rule. */
function perChannel(x: Tensor, value: number): Tensor {
  const shape = [x.shape[1] ?? 0];
  return run('fill', [], { shape, dtype: 'float32', value }, { backend: x.backend });
}

/**
 * (x - mean) / sqrt(variance + epsilon) * weight + bias for x [N, C, ...] and vectors [C]: batch normalisation at
 * evaluation (Ioffe & Szegedy 2015, arXiv:1502.03167).
 */
export function batchNorm(x: Tensor, options: BatchNormOptions): Tensor {
  const { weight, bias, epsilon = 1e-5, mean: average, variance } = options;
  expectEpsilon('batchNorm', epsilon);
  return scope(() =>
    run(
      'batchNormEval',
      [x, weight ?? perChannel(x, 1), bias ?? perChannel(x, 0), average, variance],
      { epsilon },
    ),
  );
}

/**
 * Batch normalisation of x [N, C, ...] by the statistics of the batch itself, which come with the result: mean and biased
 * variance [C], both without gradient. Throws a ShapeError where a channel has one element only, which no statistics can
 * be taken of.
 */
export function batchNormTrain(
  x: Tensor,
  options: AffineOptions = {},
): { y: Tensor; mean: Tensor; variance: Tensor } {
  const { weight, bias, epsilon = 1e-5 } = options;
  expectEpsilon('batchNormTrain', epsilon);
  if (x.shape.length >= 2 && x.shape[1]! > 0 && x.size === x.shape[1]) {
    throw new ShapeError(
      `batchNormTrain: the input ${formatShape(x.shape)} has one element a channel, whose variance is 0; expected a batch of 2 or more, or larger images, or the running statistics of evaluation`,
    );
  }
  return scope(() => {
    const [y, average, variance] = dispatch(
      'batchNormTrain',
      [x, weight ?? perChannel(x, 1), bias ?? perChannel(x, 0)],
      { epsilon },
    );
    return { y: y!, mean: average!, variance: variance! };
  });
}

/** Mean 0 and variance 1 over the axes. */
function standardize(x: Tensor, axis: number[], epsilon: number): Tensor {
  const centred = sub(x, mean(x, { axis, keepDims: true }));
  const variance = mean(square(centred), { axis, keepDims: true });
  return mul(centred, rsqrt(add(variance, epsilon)));
}

function affine(x: Tensor, weight: Tensor | undefined, bias: Tensor | undefined): Tensor {
  const scaled = weight ? mul(x, weight) : x;
  return bias ? add(scaled, bias) : scaled;
}

function expectVectors(op: string, shape: Shape, { weight, bias }: AffineOptions): void {
  for (const [what, vector] of [
    ['weight', weight],
    ['bias', bias],
  ] as const) {
    if (vector && !sameShape(vector.shape, shape)) {
      throw new ShapeError(
        `${op}: the ${what} has shape ${formatShape(vector.shape)}; expected ${formatShape(shape)}`,
      );
    }
  }
}

export interface LayerNormOptions extends AffineOptions {
  /** The last axes of the input, over which each sample is normalised; a number for the last axis alone. */
  readonly normalizedShape: number | Shape;
}

/**
 * Each sample normalised over its last axes, those of normalizedShape, which weight and bias have too
 * (Ba et al. 2016, arXiv:1607.06450).
 */
export function layerNorm(x: Tensor, options: LayerNormOptions): Tensor {
  const { normalizedShape, weight, bias, epsilon = 1e-5 } = options;
  expectEpsilon('layerNorm', epsilon);
  const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
  const lead = x.shape.length - shape.length;
  if (shape.length === 0 || lead < 0 || !sameShape(x.shape.slice(lead), shape)) {
    throw new ShapeError(
      `layerNorm: the input has shape ${formatShape(x.shape)}; expected its last axes to be normalizedShape ${formatShape(shape)}`,
    );
  }
  expectVectors('layerNorm', shape, options);
  expectFloat32('layerNorm', 'input', x);
  return scope(() => {
    const axes = shape.map((_, i) => lead + i);
    return affine(standardize(x, axes, epsilon), weight, bias);
  });
}

export interface GroupNormOptions extends AffineOptions {
  /** Into how many groups the channels divide; 1 normalises over the whole sample, C over each channel of it. */
  readonly groups: number;
}

/**
 * Each group of channels of each sample of x [N, C, ...] normalised; weight and bias [C]
 * (Wu & He 2018, arXiv:1803.08494). Throws a ShapeError where groups do not divide the channels.
 */
export function groupNorm(x: Tensor, options: GroupNormOptions): Tensor {
  const { groups, weight, bias, epsilon = 1e-5 } = options;
  expectEpsilon('groupNorm', epsilon);
  const [n, channels, ...rest] = x.shape;
  const divides = Number.isSafeInteger(groups) && groups >= 1 && channels! % groups === 0;
  if (n === undefined || channels === undefined || !divides) {
    throw new ShapeError(
      `groupNorm: the input has shape ${formatShape(x.shape)}; expected [N, C, ...] with C a multiple of groups ${groups}`,
    );
  }
  expectVectors('groupNorm', [channels], options);
  expectFloat32('groupNorm', 'input', x);
  return scope(() => {
    const grouped = reshape(x, [n, groups, (channels / groups) * sizeOf(rest)]);
    const y = reshape(standardize(grouped, [2], epsilon), x.shape);
    const column = [channels, ...rest.map(() => 1)];
    return affine(y, weight && reshape(weight, column), bias && reshape(bias, column));
  });
}

export interface LocalResponseNormOptions {
  /** How many neighbouring channels take part. */
  readonly size: number;
  /** Default 1e-4; divided by size, as in PyTorch and Caffe but not in the paper. */
  readonly alpha?: number | undefined;
  /** Default 0.75. */
  readonly beta?: number | undefined;
  /** Default 1. The paper has 2. */
  readonly k?: number | undefined;
}

/**
 * x / (k + alpha / size * sum of x^2 over size neighbouring channels)^beta for x [N, C, ...]
 * (Krizhevsky et al. 2012, section 3.3).
 */
export function localResponseNorm(x: Tensor, options: LocalResponseNormOptions): Tensor {
  const { size, alpha = 1e-4, beta = 0.75, k = 1 } = options;
  return run('localResponseNorm', [x], { size, alpha, beta, k });
}
