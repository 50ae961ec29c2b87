// Reductions over axes, running sums and ordering.

import { formatShape, ShapeError, sizeOf } from '@convoke/backend-api';

import { dispatch, run } from '../dispatch.ts';
import { noGrad } from '../grad-mode.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { axesOf, axisOf, type AxisOptions, type ReduceOptions } from './axes.ts';
import { equal, isFinite, where } from './compare.ts';
import { abs, add, div, exp, log, pow, sqrt, square, sub } from './elementwise.ts';
import { reshape } from './movement.ts';
import { slice } from './slice.ts';

function attributesOf(
  op: string,
  x: Tensor,
  { axis, keepDims = false }: ReduceOptions,
): { axes: number[]; keepDims: boolean } {
  return { axes: axesOf(op, axis, x), keepDims };
}

/** 0 over no elements. */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return run('reduceSum', [x], attributesOf('sum', x, options));
}

/** NaN over no elements. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return run('reduceMean', [x], attributesOf('mean', x, options));
}

/** Product; 1 over no elements. */
export function prod(x: Tensor, options: ReduceOptions = {}): Tensor {
  return run('reduceProd', [x], attributesOf('prod', x, options));
}

/** The largest element, NaN if any is. Elements that tie share the gradient evenly. */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  return run('reduceMax', [x], attributesOf('max', x, options));
}

/** The smallest element, NaN if any is. Elements that tie share the gradient evenly. */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  return run('reduceMin', [x], attributesOf('min', x, options));
}

export interface VarianceOptions extends ReduceOptions {
  /** The sum of squares is divided by the number of elements less this. Default 1, which makes it unbiased. */
  readonly correction?: number | undefined;
}

export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  const { correction = 1, keepDims = false } = options;
  const axes = axesOf('variance', options.axis, x);
  const count = sizeOf(axes.map((axis) => x.shape[axis]!));
  return scope(() => {
    const centred = sub(x, run('reduceMean', [x], { axes, keepDims: true }));
    const squares = run('reduceSum', [square(centred)], { axes, keepDims });
    return div(squares, Math.max(count - correction, 0));
  });
}

/** Standard deviation: the square root of the variance. */
export function std(x: Tensor, options: VarianceOptions = {}): Tensor {
  return scope(() => sqrt(variance(x, options)));
}

export interface NormOptions extends ReduceOptions {
  /** 2 (default) the length, 1 the sum of sizes, Infinity the largest size, any other above 0 by its formula. */
  readonly p?: number | undefined;
}

/** (sum of |x|^p)^(1/p). The gradient is 0 where the norm is. */
export function norm(x: Tensor, options: NormOptions = {}): Tensor {
  const { p = 2 } = options;
  if (!(p > 0)) throw new ShapeError(`norm: p must be above 0, got ${p}`);
  const attributes = attributesOf('norm', x, options);
  return scope(() => {
    if (p === Infinity) return run('reduceMax', [abs(x)], attributes);
    if (p === 1) return run('reduceSum', [abs(x)], attributes);
    const total = run('reduceSum', [p === 2 ? square(x) : pow(abs(x), p)], attributes);
    // The root has an infinite slope at 0; it is taken of 1 there, and the result put back to 0.
    const zero = equal(total, 0);
    const safe = where(zero, 1, total);
    return where(zero, 0, p === 2 ? sqrt(safe) : pow(safe, 1 / p));
  });
}

/** log(sum of e^x) without overflow. */
export function logSumExp(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { axes, keepDims } = attributesOf('logSumExp', x, options);
  return scope(() => {
    const shift = noGrad(() => {
      const largest = run('reduceMax', [x], { axes, keepDims: true });
      return where(isFinite(largest), largest, 0);
    });
    const total = run('reduceSum', [exp(sub(x, shift))], { axes, keepDims });
    return add(log(total), reshape(shift, total.shape));
  });
}

export interface ArgReduceOptions extends AxisOptions {
  /** Keep the reduced axis with length 1. Default false. */
  readonly keepDims?: boolean | undefined;
}

/** int32 index of the first largest element along `axis`, default the last; NaN counts as the largest. */
export function argmax(x: Tensor, options: ArgReduceOptions = {}): Tensor {
  const { axis = -1, keepDims = false } = options;
  return run('argMax', [x], { axis: axisOf('argmax', axis, x), keepDims });
}

/** int32 index of the first smallest element along `axis`, default the last; NaN counts as the smallest. */
export function argmin(x: Tensor, options: ArgReduceOptions = {}): Tensor {
  const { axis = -1, keepDims = false } = options;
  return run('argMin', [x], { axis: axisOf('argmin', axis, x), keepDims });
}

/** Running sum along `axis`, default the last; each element counts itself. */
export function cumsum(x: Tensor, options: AxisOptions = {}): Tensor {
  return run('cumsum', [x], { axis: axisOf('cumsum', options.axis ?? -1, x) });
}

export interface Ordered {
  readonly values: Tensor;
  /** int32 positions along the axis that the values came from. */
  readonly indices: Tensor;
}

export interface SortOptions extends AxisOptions {
  /** Default false: smallest first. */
  readonly descending?: boolean | undefined;
}

/** Elements in order along `axis`, default the last. Equal ones keep their order; NaN is largest. */
export function sort(x: Tensor, options: SortOptions = {}): Ordered {
  const axis = axisOf('sort', options.axis ?? -1, x);
  const [values, indices] = dispatch('sort', [x], {
    axis,
    descending: options.descending ?? false,
  });
  return { values: values!, indices: indices! };
}

export interface TopKOptions extends AxisOptions {
  readonly k: number;
  /** Default true; false for the smallest. */
  readonly largest?: boolean | undefined;
}

/** The k largest elements along `axis`, default the last, largest first. */
export function topK(x: Tensor, { k, axis = -1, largest = true }: TopKOptions): Ordered {
  const along = axisOf('topK', axis, x);
  const length = x.shape[along]!;
  if (!Number.isInteger(k) || k < 0 || k > length) {
    throw new ShapeError(
      `topK: k must be a whole number from 0 to ${length}, the length of axis ${axis} of ${formatShape(x.shape)}; got ${k}`,
    );
  }
  return scope(() => {
    const { values, indices } = sort(x, { axis: along, descending: largest });
    const ends = x.shape.map((n, i) => (i === along ? k : n));
    const starts = ends.map(() => 0);
    return {
      values: slice(values, { starts, ends }),
      indices: slice(indices, { starts, ends }),
    };
  });
}
