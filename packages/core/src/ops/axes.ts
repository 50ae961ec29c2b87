// How options name axes.

import { formatShape, normalizeAxis, ShapeError } from '@convoke/backend-api';

import { expectTensor } from '../kinds.ts';
import type { Tensor } from '../tensor.ts';

export interface AxisOptions {
  /** Default: the last. Negative ones count from the end. */
  readonly axis?: number | undefined;
}

export interface ReduceOptions {
  /** One axis or several; all unless given. Negative ones count from the end. */
  readonly axis?: number | readonly number[] | undefined;
  /** Keep the reduced axes with length 1. Default false. */
  readonly keepDims?: boolean | undefined;
}

/** An axis of `x`, counted from the front. */
export function axisOf(op: string, axis: number, x: Tensor): number {
  expectTensor(op, 'the input', x);
  return normalizeAxis(op, axis, x.shape.length);
}

/** The axes an option names, counted from the front; all where it names none. */
export function axesOf(op: string, axis: ReduceOptions['axis'], x: Tensor): number[] {
  expectTensor(op, 'the input', x);
  const { shape } = x;
  const rank = shape.length;
  if (axis === undefined) return shape.map((_, i) => i);
  const named = typeof axis === 'number' ? [axis] : axis;
  const axes = named.map((one) => normalizeAxis(op, one, rank));
  if (new Set(axes).size !== axes.length) {
    throw new ShapeError(
      `${op}: axes ${formatShape(named)} name an axis of ${formatShape(shape)} twice; expected each at most once`,
    );
  }
  return axes;
}
