// Picking and adding by indices, along an axis of tensors in C order. Indices are checked when the op runs.

import { DataError, formatShape, sizeOf, type Shape } from '@convoke/backend-api';

import type { Failure } from '../failure.ts';
import { planGather, planScatterAdd } from '../kernels/gather.ts';
import type { Planning } from '../planning.ts';
import { elementBytesOf, type Planners } from './planner.ts';

interface AlongAxis {
  readonly outer: number;
  readonly length: number;
  readonly picks: number;
  readonly inner: number;
}

function alongAxis(x: Shape, indices: Shape, axis: number): AlongAxis {
  return {
    outer: sizeOf(x.slice(0, axis)),
    length: x[axis]!,
    picks: indices[axis]!,
    inner: sizeOf(x.slice(axis + 1)),
  };
}

function tellsIndex(p: Planning, axis: number): (failure: Failure) => Error {
  const { op } = p;
  const { shape } = p.inputs[0]!.spec;
  return ({ value }) =>
    new DataError(
      `${op}: index ${value} is out of range along axis ${axis} of ${formatShape(shape)}; expected 0 to ${shape[axis]! - 1}`,
    );
}

export const indexing: Planners = {
  gather(p, { axis }) {
    const [x, indices] = [p.inputs[0]!.spec, p.inputs[1]!.spec];
    const [from, at, y] = [p.at(0), p.at(1), p.output()];
    if (indices.shape.includes(0)) return;
    p.late = tellsIndex(p, axis);
    planGather(p.encoder, {
      ...alongAxis(x.shape, indices.shape, axis),
      x: from,
      indices: at,
      y,
      elementBytes: elementBytesOf(x),
    });
  },

  scatterAdd(p, { axis }) {
    const [x, indices] = [p.inputs[0]!.spec, p.inputs[1]!.spec];
    const [from, at, updates, y] = [p.at(0), p.at(1), p.at(2), p.output(undefined, 0)];
    if (sizeOf(x.shape) === 0 && indices.shape.includes(0)) return;
    p.late = tellsIndex(p, axis);
    planScatterAdd(p.encoder, {
      ...alongAxis(x.shape, indices.shape, axis),
      x: from,
      indices: at,
      updates,
      y,
      dtype: x.dtype as 'float32' | 'int32',
    });
  },
};
