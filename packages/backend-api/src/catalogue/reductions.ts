// Ops that fold elements along axes, and those that order them.

import type { OpDefinition } from '../builder.ts';
import { ShapeError } from '../errors.ts';
import { formatShape, formatSpec, type Dtype, type Shape, type Spec } from '../spec.ts';
import type { OpAttributes, ReduceAttributes } from './attributes.ts';
import { expectAxis, expectDtype, expectInputs } from './checks.ts';
import { compose, type Composer } from './composing.ts';

type ReduceName = 'reduceSum' | 'reduceMean' | 'reduceProd' | 'reduceMax' | 'reduceMin';
type ReductionName = ReduceName | 'argMax' | 'argMin' | 'cumsum' | 'sort';

/** `shape` without `axes`, or with length 1 there. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
    : shape.filter((_, axis) => !axes.includes(axis));
}

const arithmetic: readonly Dtype[] = ['float32', 'int32'];

function reduce(
  op: ReduceName,
  summary: string,
  options: {
    dtypes?: readonly Dtype[];
    needsElements?: boolean;
    formula?: <V>(c: Composer<V>, x: V, attributes: ReduceAttributes) => V;
  } = {},
): OpDefinition<ReduceAttributes> {
  const { dtypes = arithmetic, needsElements = false, formula } = options;
  return {
    summary,
    infer(inputs, { axes, keepDims }) {
      expectInputs(op, inputs, 1);
      const { shape, dtype } = inputs[0]!;
      expectDtype(op, 'the input', inputs[0]!, ...dtypes);
      for (const axis of axes) expectAxis(op, axis, shape.length);
      if (new Set(axes).size !== axes.length) {
        throw new ShapeError(
          `${op}: axes ${formatShape(axes)} repeat an axis; expected each at most once`,
        );
      }
      const result = reducedShape(shape, axes, keepDims);
      if (needsElements && axes.some((axis) => shape[axis] === 0) && !result.includes(0)) {
        throw new ShapeError(
          `${op}: ${formatSpec(inputs[0]!)} has no elements along axes ${formatShape(axes)}; an extreme needs at least one`,
        );
      }
      return [{ shape: result, dtype }];
    },
    ...(formula && {
      decompose: <V>(
        builder: Parameters<typeof compose<V>>[0],
        inputs: readonly V[],
        attributes: ReduceAttributes,
      ) => [formula(compose(builder), inputs[0]!, attributes)],
    }),
  };
}

function inferArgReduce(
  op: string,
  inputs: readonly Spec[],
  axis: number,
  keepDims: boolean,
): Spec[] {
  expectInputs(op, inputs, 1);
  const { shape } = inputs[0]!;
  expectDtype(op, 'the input', inputs[0]!, ...arithmetic);
  expectAxis(op, axis, shape.length);
  const result = reducedShape(shape, [axis], keepDims);
  if (shape[axis] === 0 && !result.includes(0)) {
    throw new ShapeError(
      `${op}: ${formatSpec(inputs[0]!)} has no elements along axis ${axis}; an extreme needs at least one`,
    );
  }
  return [{ shape: result, dtype: 'int32' }];
}

export const reductions: { readonly [K in ReductionName]: OpDefinition<OpAttributes[K]> } = {
  reduceSum: reduce('reduceSum', 'sum over axes; 0 over no elements'),
  reduceMean: reduce('reduceMean', 'mean over axes; NaN over no elements', {
    dtypes: ['float32'],
    formula: (c, x, { axes, keepDims }) => c.mean(x, axes, keepDims),
  }),
  reduceProd: reduce('reduceProd', 'product over axes; 1 over no elements'),
  reduceMax: reduce('reduceMax', 'largest over axes, NaN if any is', { needsElements: true }),
  reduceMin: reduce('reduceMin', 'smallest over axes, NaN if any is', {
    needsElements: true,
    formula: (c, x, attributes) => c.mul(c.run('reduceMax', attributes, c.mul(x, -1)), -1),
  }),
  argMax: {
    summary: 'index of the first largest element',
    gradient: 'none',
    infer: (inputs, { axis, keepDims }) => inferArgReduce('argMax', inputs, axis, keepDims),
  },
  argMin: {
    summary: 'index of the first smallest element',
    gradient: 'none',
    infer: (inputs, { axis, keepDims }) => inferArgReduce('argMin', inputs, axis, keepDims),
    decompose(builder, [x], attributes) {
      const c = compose(builder);
      return [c.run('argMax', attributes, c.mul(x!, -1))];
    },
  },
  cumsum: {
    summary: 'inclusive running sum along an axis',
    infer(inputs, { axis }) {
      expectInputs('cumsum', inputs, 1);
      expectDtype('cumsum', 'the input', inputs[0]!, 'float32');
      expectAxis('cumsum', axis, inputs[0]!.shape.length);
      return [inputs[0]!];
    },
    decompose(builder, [x], { axis }) {
      // A lower triangle of ones times the axis, moved to the end and back.
      const c = compose(builder);
      const shape = c.shape(x!);
      const last = shape.length - 1;
      const swap = shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
      const moved = c.run('permute', { permutation: swap }, x!);
      const length = shape[axis]!;
      const rows = c.run('iota', { shape: [length, length], dtype: 'int32', axis: 0 });
      const columns = c.run('iota', { shape: [length, length], dtype: 'int32', axis: 1 });
      const triangle = c.run('cast', { dtype: 'float32' }, c.op('lessEqual', rows, columns));
      const lines = c.reshape(moved, [
        shape.reduce((a, b) => a * b, 1) / Math.max(length, 1),
        length,
      ]);
      const sums = c.run('matmul', { transposeA: false, transposeB: false }, lines, triangle);
      return [c.run('permute', { permutation: swap }, c.reshape(sums, c.shape(moved)))];
    },
  },
  sort: {
    summary: 'elements in order along an axis, with where they came from',
    infer(inputs, { axis }) {
      expectInputs('sort', inputs, 1);
      expectDtype('sort', 'the input', inputs[0]!, ...arithmetic);
      expectAxis('sort', axis, inputs[0]!.shape.length);
      return [inputs[0]!, { shape: inputs[0]!.shape, dtype: 'int32' }];
    },
  },
};
