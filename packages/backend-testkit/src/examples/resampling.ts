// Examples of resampling: windows that overlap, leave gaps, run backwards, are filled up with zeros or reach outside.

import type { Shape } from '@convoke/backend-api';

import type { NaiveValue } from '../naive/value.ts';
import type { Recipe } from '../source.ts';
import { examplesOf, type Example } from './example.ts';

interface Windows {
  readonly name: string;
  readonly shape: Shape;
  readonly axis: number;
  readonly starts: readonly number[];
  readonly taps: number;
  /** Drawn unless given. */
  readonly weights?: readonly number[];
}

/** For each of `length` elements a window over all that may look at it, in which is what they weigh it by. */
function transposed([, weights, starts]: readonly NaiveValue[], length: number): NaiveValue {
  const [count, taps] = weights!.spec.shape as [number, number];
  const data = new Float64Array(length * count);
  for (const [i, start] of starts!.data.entries()) {
    for (let t = 0; t < taps; t++) {
      const place = start + t;
      if (place >= 0 && place < length) data[place * count + i] = weights!.data[i * taps + t]!;
    }
  }
  return { spec: { shape: [length, count], dtype: 'float32' }, data };
}

/** The five inputs. The transposed windows are as wide as there are elements of the result. */
function resampleInputs(
  { shape, axis, starts, taps, weights }: Windows,
  x: Partial<Recipe> = {},
): Recipe[] {
  const [length, output] = [shape[axis]!, starts.length];
  return [
    { ...x, shape },
    { shape: [output, taps], gradient: false, ...(weights && { values: weights }) },
    { shape: [output], dtype: 'int32', values: starts },
    {
      shape: [length, output],
      gradient: false,
      derived: (drawn) => transposed(drawn, length),
    },
    { shape: [length], dtype: 'int32', values: [0] },
  ];
}

const half = [0.5, 0.5];

const windows: readonly Windows[] = [
  { name: 'a vector', shape: [5], axis: 0, starts: [0, 1, 3], taps: 2 },
  { name: 'rows of images', shape: [2, 3, 4, 5], axis: 2, starts: [0, 0, 1, 1, 2, 2], taps: 2 },
  {
    name: 'columns of images',
    shape: [2, 3, 4, 5],
    axis: 3,
    starts: [0, 0, 1, 2, 2, 3, 3],
    taps: 2,
  },
  { name: 'channels', shape: [1, 5, 2, 3], axis: 1, starts: [0, 2], taps: 3 },
  { name: 'images', shape: [4, 2, 1, 3], axis: 0, starts: [1, 0, 2], taps: 2 },
  { name: 'six axes', shape: [1, 2, 2, 3, 1, 2], axis: 3, starts: [1, 0], taps: 2 },
  { name: 'to one element', shape: [2, 6], axis: 1, starts: [0], taps: 6 },
  { name: 'from one element', shape: [3, 1, 4], axis: 1, starts: [0, 0, 0], taps: 1 },
  { name: 'backwards, with gaps', shape: [2, 9, 2], axis: 1, starts: [7, 3, 0], taps: 2 },
  { name: 'reaching outside', shape: [2, 4, 3], axis: 1, starts: [-1, 3, -5, 4, 2], taps: 3 },
  {
    name: 'filled up with zeros',
    shape: [3, 4],
    axis: 1,
    starts: [0, 1, 3],
    taps: 3,
    weights: [1, 0, 0, 0.25, 0.5, 0.25, 1, 0, 0],
  },
  {
    name: 'large rows',
    shape: [2, 9, 40, 17],
    axis: 2,
    starts: Array.from({ length: 61 }, (_, i) => Math.floor((i * 38) / 61)),
    taps: 3,
  },
  {
    name: 'large columns',
    shape: [3, 5, 21, 40],
    axis: 3,
    starts: Array.from({ length: 61 }, (_, i) => Math.floor((i * 38) / 61)),
    taps: 3,
  },
];

export const resampling: readonly Example[] = windows.flatMap((one) =>
  examplesOf('resample', {
    name: one.name,
    attributes: { axis: one.axis },
    inputs: resampleInputs(one),
    differentiate: !one.name.includes('large'),
  }),
);

const empty: readonly Windows[] = [
  { name: 'no images', shape: [0, 2, 3], axis: 1, starts: [0, 1], taps: 2, weights: half },
  { name: 'nothing to look at', shape: [2, 0], axis: 1, starts: [0, 1], taps: 2, weights: half },
  { name: 'no windows', shape: [2, 3], axis: 1, starts: [], taps: 2, weights: half },
  { name: 'no taps', shape: [2, 3], axis: 1, starts: [0, 1], taps: 0, weights: half },
];

export const emptyResampling: readonly Example[] = empty.flatMap((one) =>
  examplesOf('resample', {
    name: one.name,
    attributes: { axis: one.axis },
    inputs: resampleInputs(one),
  }),
);

/** NaN and infinities under weights of 0 and outside their windows leave the result alone. */
export const nonFiniteResampling: readonly Example[] = [0, 1, 2].flatMap((axis) =>
  examplesOf('resample', {
    name: `NaN stays within its windows, axis ${axis}`,
    attributes: { axis },
    inputs: resampleInputs(
      {
        name: '',
        shape: [4, 4, 4],
        axis,
        starts: [0, 1, 2, 2, 3],
        taps: 2,
        weights: [0.5, 0.5, 1, 0, 0, 1, 0.25, -0.75, 1, 0],
      },
      {
        values: [
          1,
          2,
          3,
          4,
          5,
          NaN,
          6,
          7,
          8,
          9,
          10,
          11,
          12,
          13,
          14,
          Infinity,
          15,
          16,
          17,
          -Infinity,
          18,
          19,
          20,
        ],
      },
    ),
  }),
);
