// Elements round the edges of a tensor, and cropping them off.

import { formatShape, ShapeError, sizeOf, type Shape } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { holds } from './operands.ts';
import { narrow } from './slice.ts';

export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular';

const modes: readonly string[] = ['constant', 'reflect', 'replicate', 'circular'];

export interface PadOptions {
  /** [before, after] an axis; leading axes that are left out get none. Negative numbers crop. */
  readonly padding: readonly (readonly [number, number])[];
  /**
   * What goes there: `constant` (default) a value, `reflect` the elements mirrored at the edge, which is not repeated,
   * `replicate` the edge, `circular` the elements from the other side.
   */
  readonly mode?: PadMode | undefined;
  /** For `constant`. Default 0. */
  readonly value?: number | undefined;
}

function expectPadding(x: Shape, { padding, mode = 'constant' }: PadOptions): [number, number][] {
  const given = `padding [${padding.map((pair) => formatShape(pair)).join(', ')}]`;
  const whole = padding.every((pair) => pair.length === 2 && pair.every(Number.isSafeInteger));
  if (padding.length > x.length || !whole) {
    throw new ShapeError(
      `pad: ${given} for shape ${formatShape(x)}; expected at most ${x.length} pairs [before, after] of whole numbers`,
    );
  }
  const lead = x.length - padding.length;
  return x.map((length, axis) => {
    const [before, after] = padding[axis - lead] ?? [0, 0];
    const most = {
      constant: Infinity,
      reflect: length - 1,
      replicate: length && Infinity,
      circular: length,
    }[mode];
    if (Math.max(before, after) > Math.max(most, 0)) {
      throw new ShapeError(
        `pad: mode '${mode}' can put at most ${Math.max(most, 0)} elements beside axis ${axis} of ${formatShape(x)}, got [${before}, ${after}]`,
      );
    }
    if (length + before + after < 0 || -before > length || -after > length) {
      throw new ShapeError(
        `pad: [${before}, ${after}] crops more than the ${length} elements of axis ${axis} of ${formatShape(x)}`,
      );
    }
    return [before, after];
  });
}

/** What mode `mode` puts before and after `x` along an axis. */
function borders(
  x: Tensor,
  axis: number,
  before: number,
  after: number,
  mode: Exclude<PadMode, 'constant'>,
): [Tensor, Tensor] {
  const length = x.shape[axis]!;
  if (mode === 'circular') {
    return [narrow(x, axis, length - before, length), narrow(x, axis, 0, after)];
  }
  if (mode === 'reflect') {
    const mirror = (start: number, end: number): Tensor =>
      run('flip', [narrow(x, axis, start, end)], { axes: [axis] });
    return [mirror(1, before + 1), mirror(length - 1 - after, length - 1)];
  }
  const edge = (at: number, times: number): Tensor =>
    run('broadcastTo', [narrow(x, axis, at, at + 1)], {
      shape: x.shape.map((n, i) => (i === axis ? times : n)),
    });
  return [edge(0, before), edge(length - 1, after)];
}

/**
 * Elements put before and after those of each axis, or cropped where the padding is negative. Throws a ShapeError where the
 * padding is more than the mode can give or than there is to crop.
 */
export function pad(x: Tensor, options: PadOptions): Tensor {
  const { mode = 'constant', value = 0 } = options;
  if (!modes.includes(mode)) {
    throw new ShapeError(`pad: mode must be one of ${modes.join(', ')}; got ${String(mode)}`);
  }
  const pairs = expectPadding(x.shape, options);
  const grow = pairs.map((pair) => pair.map((n) => Math.max(n, 0)) as [number, number]);
  const crop = pairs.map((pair) => pair.map((n) => Math.max(-n, 0)) as [number, number]);
  if (mode === 'constant' && !holds(x.dtype, value)) {
    throw new ShapeError(`pad: ${value} is no ${x.dtype} value`);
  }
  return scope(() => {
    let result = run('reshape', [x], { shape: x.shape });
    if (mode === 'constant') {
      result = run('pad', [result], {
        before: grow.map(([before]) => before),
        after: grow.map(([, after]) => after),
        interior: grow.map(() => 0),
        value,
      });
    } else {
      for (const [axis, [before, after]] of grow.entries()) {
        if (before === 0 && after === 0) continue;
        const [front, back] = borders(result, axis, before, after, mode);
        result = run('concat', [front, result, back], { axis });
      }
    }
    if (sizeOf(crop.flat().map((n) => n + 1)) === 1) return result;
    return run('slice', [result], {
      starts: crop.map(([before]) => before),
      sizes: result.shape.map((length, axis) => length - crop[axis]![0] - crop[axis]![1]),
      steps: crop.map(() => 1),
    });
  });
}
