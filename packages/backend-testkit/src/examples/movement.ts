// Examples of ops that move elements, for every dtype that they carry.

import type { Dtype } from '@convoke/backend-api';

import { examplesOf, type Example } from './example.ts';

const dtypes: readonly Dtype[] = ['float32', 'int32', 'uint8', 'bool'];

function forDtype(dtype: Dtype): Example[] {
  const named = (name: string): string => (dtype === 'float32' ? name : `${name} ${dtype}`);
  return [
    ...examplesOf(
      'reshape',
      {
        name: named('split'),
        attributes: { shape: [2, 2, 3] },
        inputs: [{ shape: [4, 3], dtype }],
      },
      {
        name: named('images to rows'),
        attributes: { shape: [2, 60] },
        inputs: [{ shape: [2, 3, 4, 5], dtype }],
      },
      {
        name: named('rows to images'),
        attributes: { shape: [2, 5, 3, 2] },
        inputs: [{ shape: [60], dtype }],
      },
      { name: named('scalar'), attributes: { shape: [] }, inputs: [{ shape: [1, 1], dtype }] },
    ),
    ...examplesOf(
      'permute',
      {
        name: named('transpose'),
        attributes: { permutation: [1, 0] },
        inputs: [{ shape: [3, 5], dtype }],
      },
      {
        name: named('channels last'),
        attributes: { permutation: [0, 2, 3, 1] },
        inputs: [{ shape: [2, 3, 4, 2], dtype }],
      },
      {
        name: named('cycle'),
        attributes: { permutation: [2, 0, 1] },
        inputs: [{ shape: [2, 3, 4], dtype }],
      },
      {
        name: named('six axes'),
        attributes: { permutation: [5, 3, 1, 0, 4, 2] },
        inputs: [{ shape: [2, 1, 3, 2, 2, 2], dtype }],
      },
    ),
    ...examplesOf(
      'broadcastTo',
      { name: named('scalar'), attributes: { shape: [3, 2] }, inputs: [{ shape: [], dtype }] },
      {
        name: named('middle'),
        attributes: { shape: [2, 3, 4, 2] },
        inputs: [{ shape: [3, 1, 2], dtype }],
      },
      { name: named('same'), attributes: { shape: [4] }, inputs: [{ shape: [4], dtype }] },
    ),
    ...examplesOf(
      'pad',
      {
        name: named('around'),
        attributes: { before: [1, 0], after: [2, 1], interior: [0, 0], value: 1 },
        inputs: [{ shape: [3, 2], dtype }],
      },
      {
        name: named('between'),
        attributes: { before: [0, 0, 1, 2], after: [0, 1, 0, 1], interior: [0, 0, 2, 1], value: 0 },
        inputs: [{ shape: [2, 1, 3, 3], dtype }],
      },
    ),
    ...examplesOf(
      'slice',
      {
        name: named('steps'),
        attributes: { starts: [1, 0], sizes: [2, 3], steps: [2, 2] },
        inputs: [{ shape: [5, 6], dtype }],
      },
      {
        name: named('crop'),
        attributes: { starts: [0, 1, 1, 2], sizes: [2, 2, 3, 2], steps: [1, 1, 1, 1] },
        inputs: [{ shape: [2, 3, 5, 5], dtype }],
      },
    ),
    ...examplesOf(
      'flip',
      { name: named('one axis'), attributes: { axes: [1] }, inputs: [{ shape: [2, 5], dtype }] },
      {
        name: named('planes'),
        attributes: { axes: [2, 3] },
        inputs: [{ shape: [1, 2, 3, 4], dtype }],
      },
      { name: named('no axis'), attributes: { axes: [] }, inputs: [{ shape: [3], dtype }] },
    ),
    ...examplesOf(
      'concat',
      {
        name: named('rows'),
        attributes: { axis: 0 },
        inputs: [
          { shape: [2, 3], dtype },
          { shape: [1, 3], dtype },
          { shape: [3, 3], dtype },
        ],
      },
      {
        name: named('channels'),
        attributes: { axis: 1 },
        inputs: [
          { shape: [2, 3, 2, 2], dtype },
          { shape: [2, 1, 2, 2], dtype },
        ],
      },
      { name: named('alone'), attributes: { axis: 0 }, inputs: [{ shape: [4], dtype }] },
    ),
    ...examplesOf(
      'gather',
      {
        name: named('last axis'),
        attributes: { axis: 1 },
        inputs: [
          { shape: [3, 4], dtype },
          { shape: [3, 6], dtype: 'int32', range: [0, 4] },
        ],
      },
      {
        name: named('first axis'),
        attributes: { axis: 0 },
        inputs: [
          { shape: [5, 2, 2], dtype },
          { shape: [2, 2, 2], dtype: 'int32', range: [0, 5] },
        ],
      },
    ),
  ];
}

const scatters: Example[] = (['float32', 'int32'] as const).flatMap((dtype) =>
  examplesOf(
    'scatterAdd',
    {
      name: `${dtype} repeated indices`,
      attributes: { axis: 0 },
      inputs: [
        { shape: [4, 3], dtype },
        { shape: [7, 3], dtype: 'int32', range: [0, 4] },
        { shape: [7, 3], dtype },
      ],
    },
    {
      name: `${dtype} last axis`,
      attributes: { axis: 2 },
      inputs: [
        { shape: [2, 2, 5], dtype },
        { shape: [2, 2, 3], dtype: 'int32', range: [0, 5] },
        { shape: [2, 2, 3], dtype },
      ],
    },
  ),
);

const creation: Example[] = [
  ...examplesOf(
    'fill',
    { name: 'float32', attributes: { shape: [2, 3], dtype: 'float32', value: 0.1 }, inputs: [] },
    {
      name: 'images',
      attributes: { shape: [1, 3, 2, 5], dtype: 'float32', value: -2 },
      inputs: [],
    },
    { name: 'int32', attributes: { shape: [4], dtype: 'int32', value: -70000 }, inputs: [] },
    { name: 'uint8', attributes: { shape: [3], dtype: 'uint8', value: 200 }, inputs: [] },
    { name: 'bool', attributes: { shape: [], dtype: 'bool', value: 1 }, inputs: [] },
  ),
  ...(['float32', 'int32'] as const).flatMap((dtype) =>
    examplesOf(
      'iota',
      { name: `${dtype} last axis`, attributes: { shape: [2, 5], dtype, axis: 1 }, inputs: [] },
      {
        name: `${dtype} middle axis`,
        attributes: { shape: [2, 3, 2, 2], dtype, axis: 1 },
        inputs: [],
      },
    ),
  ),
  ...examplesOf('randomBits', {
    name: 'matrix',
    attributes: { shape: [3, 5] },
    inputs: [{ shape: [2], dtype: 'int32', values: [7, -9] }],
  }),
];

export const movement: readonly Example[] = [...dtypes.flatMap(forDtype), ...scatters, ...creation];
