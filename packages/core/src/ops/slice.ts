// Parts of a tensor: boxes, stretches of one axis, and cutting an axis into pieces.

import { formatShape, ShapeError, type Shape } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import type { Tensor } from '../tensor.ts';
import { axisOf } from './axes.ts';

export interface SliceOptions {
  /** First element, one an axis. Negative ones count from the end. Axes beyond the list are whole. */
  readonly starts: readonly number[];
  /** Where to stop, not included. Default: the end of each axis. */
  readonly ends?: readonly number[] | undefined;
  /** Distance from element to element, >= 1. Default 1. */
  readonly steps?: readonly number[] | undefined;
}

/** A position along an axis, counted from the front. */
function position(what: string, value: number, length: number, shape: Shape): number {
  if (!Number.isInteger(value) || value < -length || value > length) {
    throw new ShapeError(
      `slice: ${what} ${value} is out of range for a length of ${length} in ${formatShape(shape)}; expected ${-length} to ${length}`,
    );
  }
  return value < 0 ? value + length : value;
}

/** A box of elements, every steps-th along each axis. */
export function slice(x: Tensor, { starts, ends = [], steps = [] }: SliceOptions): Tensor {
  const { shape } = x;
  for (const [what, list] of Object.entries({ starts, ends, steps })) {
    if (list.length > shape.length) {
      throw new ShapeError(
        `slice: ${what} ${formatShape(list)} has more entries than ${formatShape(shape)} has axes`,
      );
    }
  }
  const from = shape.map((length, axis) => position('start', starts[axis] ?? 0, length, shape));
  const stride = shape.map((_, axis) => steps[axis] ?? 1);
  if (!stride.every((step) => Number.isInteger(step) && step >= 1)) {
    throw new ShapeError(
      `slice: steps must be whole numbers >= 1, got ${formatShape(steps)}; turn an axis round with flip()`,
    );
  }
  const sizes = shape.map((length, axis) => {
    const end = position('end', ends[axis] ?? length, length, shape);
    return Math.max(0, Math.ceil((end - from[axis]!) / stride[axis]!));
  });
  return run('slice', [x], { starts: from, sizes, steps: stride });
}

/** Elements `start` to `end` (not included) of one axis, both in range. */
export function narrow(x: Tensor, axis: number, start: number, end: number): Tensor {
  return run('slice', [x], {
    starts: x.shape.map((_, i) => (i === axis ? start : 0)),
    sizes: x.shape.map((length, i) => (i === axis ? end - start : length)),
    steps: x.shape.map(() => 1),
  });
}

export interface SplitOptions {
  /** Lengths of the pieces. */
  readonly sizes?: readonly number[] | undefined;
  /** Or how many equal pieces. */
  readonly sections?: number | undefined;
  /** Default 0. */
  readonly axis?: number | undefined;
}

/** Pieces along an axis, by their sizes or by how many. */
export function split(x: Tensor, { sizes, sections, axis = 0 }: SplitOptions): Tensor[] {
  const along = axisOf('split', axis, x);
  const length = x.shape[along]!;
  if ((sizes === undefined) === (sections === undefined)) {
    throw new ShapeError('split: expected either sizes or sections');
  }
  const lengths = sizes ?? Array.from({ length: sections! }, () => length / sections!);
  const whole = lengths.every((size) => Number.isInteger(size) && size >= 0);
  if (!whole || lengths.reduce((a, b) => a + b, 0) !== length) {
    const given = sizes ? `sizes ${formatShape(sizes)}` : `${sections} sections`;
    throw new ShapeError(
      `split: ${given} do not make up axis ${axis} of ${formatShape(x.shape)}, whose length is ${length}; expected whole sizes that add up to it`,
    );
  }
  let start = 0;
  return lengths.map((size) => narrow(x, along, start, (start += size)));
}
