// Shapes, order, joining and indexing: ops that move elements without computing.

import {
  DtypeError,
  formatShape,
  formatSpec,
  normalizeAxis,
  ShapeError,
  sizeOf,
  type Shape,
} from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { axesOf, axisOf } from './axes.ts';
import { narrow } from './slice.ts';

export { pad } from './pad.ts';

/** The same elements in C order under another shape; one length may be -1: whatever is left. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const open = shape.indexOf(-1);
  if (open < 0) return run('reshape', [x], { shape: [...shape] });
  const known = sizeOf(shape.filter((_, axis) => axis !== open));
  if (shape.lastIndexOf(-1) !== open || known === 0 || x.size % known !== 0) {
    throw new ShapeError(
      `reshape: ${formatShape(x.shape)} has ${x.size} elements, which do not fit ${formatShape(shape)}; expected at most one -1, and a whole number of elements along it`,
    );
  }
  return run('reshape', [x], {
    shape: shape.map((length) => (length === -1 ? x.size / known : length)),
  });
}

export interface FlattenOptions {
  /** First axis to join. Default 1: a batch stays a batch. */
  readonly startAxis?: number | undefined;
  /** Last axis to join. Default: the last. */
  readonly endAxis?: number | undefined;
}

/** Axes joined into one. */
export function flatten(x: Tensor, options: FlattenOptions = {}): Tensor {
  const { startAxis = 1, endAxis = -1 } = options;
  const [start, end] = [startAxis, endAxis].map((axis) => axisOf('flatten', axis, x)) as [
    number,
    number,
  ];
  if (start > end) {
    throw new ShapeError(
      `flatten: startAxis ${startAxis} lies behind endAxis ${endAxis} of ${formatShape(x.shape)}`,
    );
  }
  const joined = sizeOf(x.shape.slice(start, end + 1));
  return run('reshape', [x], {
    shape: [...x.shape.slice(0, start), joined, ...x.shape.slice(end + 1)],
  });
}

/** Without axes of length 1: all such, or the named ones, which must have length 1. */
export function squeeze(
  x: Tensor,
  options: { axis?: number | readonly number[] | undefined } = {},
): Tensor {
  const { shape } = x;
  const axes =
    options.axis === undefined
      ? shape.map((_, axis) => axis).filter((axis) => shape[axis] === 1)
      : axesOf('squeeze', options.axis, x);
  const long = axes.find((axis) => shape[axis] !== 1);
  if (long !== undefined) {
    throw new ShapeError(
      `squeeze: axis ${long} of ${formatShape(shape)} has length ${shape[long]}; expected 1`,
    );
  }
  return run('reshape', [x], { shape: shape.filter((_, axis) => !axes.includes(axis)) });
}

/** A new axis of length 1 that becomes axis `axis` of the result. */
export function unsqueeze(x: Tensor, { axis }: { axis: number }): Tensor {
  const at = normalizeAxis('unsqueeze', axis, x.shape.length + 1);
  return run('reshape', [x], { shape: [...x.shape.slice(0, at), 1, ...x.shape.slice(at)] });
}

/** Axes in another order: axis i of the result is axis axes[i] of x. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  return run('permute', [x], {
    permutation: axes.map((axis) => axisOf('permute', axis, x)),
  });
}

/** Two axes exchanged, by default the last two. */
export function transpose(
  x: Tensor,
  options: { axes?: readonly [number, number] | undefined } = {},
): Tensor {
  const [a, b] = (options.axes ?? [-2, -1]).map((axis) => axisOf('transpose', axis, x)) as [
    number,
    number,
  ];
  const permutation = x.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
  return run('permute', [x], { permutation });
}

function expectAlike(op: string, tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (!first) throw new ShapeError(`${op}: expected at least one tensor, got none`);
  return first;
}

/** Tensors one after another along `axis`, default 0; their other lengths are equal. */
export function concat(
  tensors: readonly Tensor[],
  options: { axis?: number | undefined } = {},
): Tensor {
  const { shape } = expectAlike('concat', tensors);
  return run('concat', tensors, {
    axis: normalizeAxis('concat', options.axis ?? 0, shape.length),
  });
}

/** Tensors of one shape along a new axis, default 0. */
export function stack(
  tensors: readonly Tensor[],
  options: { axis?: number | undefined } = {},
): Tensor {
  const { shape } = expectAlike('stack', tensors);
  const axis = normalizeAxis('stack', options.axis ?? 0, shape.length + 1);
  const odd = tensors.findIndex((tensor) => formatShape(tensor.shape) !== formatShape(shape));
  if (odd > 0) {
    throw new ShapeError(
      `stack: tensor ${odd} has shape ${formatShape(tensors[odd]!.shape)}; expected that of the first, ${formatShape(shape)}`,
    );
  }
  return scope(() =>
    run(
      'concat',
      tensors.map((tensor) => unsqueeze(tensor, { axis })),
      { axis },
    ),
  );
}

/**
 * Elements picked along `axis` by int32 indices, which have x's shape but along that axis: for axis 1,
 * y[i][j][k] = x[i][indices[i][j][k]][k].
 */
export function gather(x: Tensor, indices: Tensor, { axis }: { axis: number }): Tensor {
  return run('gather', [x, indices], { axis: axisOf('gather', axis, x) });
}

/** Whole slices picked along `axis`, default 0, by int32 indices [K]. */
export function take(
  x: Tensor,
  indices: Tensor,
  options: { axis?: number | undefined } = {},
): Tensor {
  const axis = axisOf('take', options.axis ?? 0, x);
  if (indices.shape.length !== 1) {
    throw new ShapeError(
      `take: the indices have shape ${formatShape(indices.shape)}; expected one axis [K]. Pick single elements with gather()`,
    );
  }
  const count = indices.shape[0]!;
  return scope(() => {
    const column = run('reshape', [indices], {
      shape: x.shape.map((_, i) => (i === axis ? count : 1)),
    });
    const everywhere = run('broadcastTo', [column], {
      shape: x.shape.map((length, i) => (i === axis ? count : length)),
    });
    return run('gather', [x, everywhere], { axis });
  });
}

/** x with updates added at int32 indices of the updates' shape: for axis 1, at [i][indices[i][j][k]][k]. */
export function scatterAdd(
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  { axis }: { axis: number },
): Tensor {
  return run('scatterAdd', [x, indices, updates], {
    axis: axisOf('scatterAdd', axis, x),
  });
}

/** Reversed along axes. */
export function flip(x: Tensor, { axes }: { axes: number | readonly number[] }): Tensor {
  return run('flip', [x], { axes: axesOf('flip', axes, x) });
}

export interface RollOptions {
  /** How far elements move towards the end; what leaves comes back at the start. One an axis. */
  readonly shifts: number | readonly number[];
  readonly axes: number | readonly number[];
}

/** Elements moved round along axes. */
export function roll(x: Tensor, { shifts, axes }: RollOptions): Tensor {
  const along = axesOf('roll', axes, x);
  const distances = typeof shifts === 'number' ? [shifts] : shifts;
  if (distances.length !== along.length || !distances.every(Number.isInteger)) {
    throw new ShapeError(
      `roll: shifts ${formatShape(distances)} for ${along.length} axes; expected one whole number an axis`,
    );
  }
  return scope(() => {
    let result = run('reshape', [x], { shape: x.shape });
    for (const [i, axis] of along.entries()) {
      const length = x.shape[axis]!;
      const cut = length === 0 ? 0 : ((-distances[i]! % length) + length) % length;
      if (cut === 0) continue;
      const pieces = [narrow(result, axis, cut, length), narrow(result, axis, 0, cut)];
      result = run('concat', pieces, { axis });
    }
    return result;
  });
}

/** x laid out `repeats` times along each axis, like tiles. */
export function repeat(x: Tensor, repeats: readonly number[]): Tensor {
  const { shape } = x;
  const whole = repeats.every((times) => Number.isInteger(times) && times >= 0);
  if (repeats.length !== shape.length || !whole) {
    throw new ShapeError(
      `repeat: repeats ${formatShape(repeats)} for shape ${formatShape(shape)}; expected one whole number >= 0 an axis`,
    );
  }
  return scope(() => {
    let result = run('reshape', [x], { shape });
    for (const [axis, times] of repeats.entries()) {
      if (times === 1) continue;
      // Tiling an axis repeats everything from it on, within each step of the axes before it.
      const now = result.shape;
      const outer = sizeOf(now.slice(0, axis));
      const inner = sizeOf(now.slice(axis));
      const column = run('reshape', [result], { shape: [outer, 1, inner] });
      const tiled = run('broadcastTo', [column], { shape: [outer, times, inner] });
      result = run('reshape', [tiled], {
        shape: now.map((length, i) => (i === axis ? length * times : length)),
      });
    }
    return result;
  });
}

/** Repeated along axes of length 1 and new leading axes, by NumPy's rules. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return run('broadcastTo', [x], { shape: [...shape] });
}

/**
 * float32 [..., numClasses]: 1 at each label, 0 elsewhere. `labels` is int32; one outside 0..numClasses-1 gives zeros only.
 */
export function oneHot(labels: Tensor, { numClasses }: { numClasses: number }): Tensor {
  if (labels.dtype !== 'int32') {
    throw new DtypeError(
      `oneHot: the labels are ${formatSpec(labels.spec)}; expected int32. Convert them with cast() first`,
    );
  }
  if (!Number.isSafeInteger(numClasses) || numClasses < 0) {
    throw new ShapeError(`oneHot: numClasses must be a whole number >= 0, got ${numClasses}`);
  }
  const shape = [...labels.shape.map(() => 1), numClasses];
  return scope(() => {
    const classes = run(
      'iota',
      [],
      { shape, dtype: 'int32', axis: shape.length - 1 },
      { backend: labels.backend },
    );
    const hits = run('equal', [unsqueeze(labels, { axis: -1 }), classes], {});
    return run('cast', [hits], { dtype: 'float32' });
  });
}
