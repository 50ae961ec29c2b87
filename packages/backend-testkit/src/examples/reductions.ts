// Examples of reductions and orderings: each choice of axes, long sums, ties.

import type { OpName, ReduceAttributes } from '@convoke/backend-api';

import type { Recipe } from '../source.ts';
import { examplesOf, type Example } from './example.ts';

const axesOf: Readonly<Record<string, ReduceAttributes>> = {
  all: { axes: [0, 1, 2], keepDims: false },
  first: { axes: [0], keepDims: false },
  middle: { axes: [1], keepDims: true },
  last: { axes: [2], keepDims: false },
  outer: { axes: [2, 0], keepDims: true },
  none: { axes: [], keepDims: false },
};

function reduce(op: OpName, recipe: Omit<Recipe, 'shape'>, int32: boolean): Example[] {
  return [
    ...Object.entries(axesOf).flatMap(([name, attributes]) =>
      examplesOf(op, {
        name: `${name} axes`,
        attributes: attributes as never,
        inputs: [{ shape: [2, 3, 4], ...recipe }],
      }),
    ),
    ...examplesOf(
      op,
      {
        name: 'scalar',
        attributes: { axes: [], keepDims: false } as never,
        inputs: [{ shape: [], ...recipe }],
      },
      {
        name: 'six axes',
        attributes: { axes: [1, 4], keepDims: false } as never,
        inputs: [{ shape: [2, 2, 1, 2, 3, 2], ...recipe }],
        differentiate: false,
      },
    ),
    ...(int32
      ? examplesOf(op, {
          name: 'int32',
          attributes: { axes: [1], keepDims: false } as never,
          inputs: [{ shape: [3, 5], dtype: 'int32' }],
        })
      : []),
  ];
}

function argReduce(op: 'argMax' | 'argMin'): Example[] {
  return examplesOf(
    op,
    { name: 'first axis', attributes: { axis: 0, keepDims: false }, inputs: [{ shape: [4, 3] }] },
    {
      name: 'middle axis kept',
      attributes: { axis: 1, keepDims: true },
      inputs: [{ shape: [2, 5, 3] }],
    },
    {
      name: 'ties',
      attributes: { axis: 1, keepDims: false },
      inputs: [{ shape: [2, 6], values: [1, 3, 0, 3, 0, 1, 2] }],
    },
    {
      name: 'int32',
      attributes: { axis: 0, keepDims: false },
      inputs: [{ shape: [7], dtype: 'int32' }],
    },
    { name: 'long', attributes: { axis: 1, keepDims: false }, inputs: [{ shape: [3, 1000] }] },
  );
}

export const reductions: readonly Example[] = [
  ...reduce('reduceSum', {}, true),
  ...reduce('reduceMean', {}, false),
  ...reduce('reduceProd', { range: [0.5, 1.5] }, true),
  ...reduce('reduceMax', { distinct: true }, true),
  ...reduce('reduceMin', { distinct: true }, true),
  ...examplesOf('reduceSum', {
    name: 'long',
    attributes: { axes: [1], keepDims: false },
    inputs: [{ shape: [3, 5000] }],
    differentiate: false,
  }),
  ...examplesOf('reduceProd', {
    name: 'zeros',
    attributes: { axes: [1], keepDims: false },
    inputs: [{ shape: [3, 3], values: [0, 2, 3, 0, 0, 4, 1, 2, 3] }],
  }),
  ...argReduce('argMax'),
  ...argReduce('argMin'),
  ...examplesOf(
    'cumsum',
    { name: 'first axis', attributes: { axis: 0 }, inputs: [{ shape: [4, 3] }] },
    { name: 'middle axis', attributes: { axis: 1 }, inputs: [{ shape: [2, 5, 2] }] },
    { name: 'long', attributes: { axis: 1 }, inputs: [{ shape: [2, 150] }], differentiate: false },
  ),
  ...[false, true].flatMap((descending) => {
    const order = descending ? 'falling' : 'rising';
    return examplesOf(
      'sort',
      {
        name: `${order} last axis`,
        attributes: { axis: 1, descending },
        inputs: [{ shape: [3, 7], distinct: true }],
      },
      {
        name: `${order} first axis`,
        attributes: { axis: 0, descending },
        inputs: [{ shape: [6, 2, 2], distinct: true }],
      },
      {
        name: `${order} ties keep their order`,
        attributes: { axis: 0, descending },
        inputs: [{ shape: [40], values: [2, 1, 0, 1, 2, 0, 1] }],
        differentiate: false,
      },
      {
        name: `${order} int32`,
        attributes: { axis: 1, descending },
        inputs: [{ shape: [2, 9], dtype: 'int32' }],
      },
    );
  }),
];
