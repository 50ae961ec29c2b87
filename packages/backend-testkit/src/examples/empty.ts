// Examples without elements: every family must pass them through, and fold nothing into its neutral element.

import { examplesOf, type Example } from './example.ts';
import { emptyResampling } from './resampling.ts';

const conv = {
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
} as const;
const window = {
  kernelSize: [2, 2],
  stride: [2, 2],
  padding: [0, 0, 0, 0],
  dilation: [1, 1],
} as const;

export const empty: readonly Example[] = [
  ...examplesOf('exp', { name: 'empty', attributes: {}, inputs: [{ shape: [0] }] }),
  ...examplesOf('relu', {
    name: 'empty images',
    attributes: {},
    inputs: [{ shape: [2, 0, 3, 3] }],
  }),
  ...examplesOf('add', {
    name: 'empty row',
    attributes: {},
    inputs: [{ shape: [3, 0] }, { shape: [1] }],
  }),
  ...examplesOf('mul', {
    name: 'empty broadcast',
    attributes: {},
    inputs: [{ shape: [0, 2] }, { shape: [1, 2] }],
  }),
  ...examplesOf('less', { name: 'empty', attributes: {}, inputs: [{ shape: [0] }, { shape: [] }] }),
  ...examplesOf('cast', {
    name: 'empty',
    attributes: { dtype: 'int32' },
    inputs: [{ shape: [0, 3] }],
  }),
  ...examplesOf('fill', {
    name: 'empty',
    attributes: { shape: [0, 4], dtype: 'float32', value: 1 },
    inputs: [],
  }),
  ...examplesOf('iota', {
    name: 'empty',
    attributes: { shape: [0], dtype: 'int32', axis: 0 },
    inputs: [],
  }),
  ...examplesOf('randomBits', {
    name: 'empty',
    attributes: { shape: [0] },
    inputs: [{ shape: [2], dtype: 'int32', values: [1, 2] }],
  }),
  ...examplesOf(
    'reduceSum',
    { name: 'of nothing', attributes: { axes: [0], keepDims: false }, inputs: [{ shape: [0, 3] }] },
    {
      name: 'empty result',
      attributes: { axes: [0], keepDims: false },
      inputs: [{ shape: [3, 0] }],
    },
  ),
  ...examplesOf('reduceProd', {
    name: 'of nothing',
    attributes: { axes: [0, 1], keepDims: false },
    inputs: [{ shape: [0, 3] }],
  }),
  ...examplesOf('reduceMax', {
    name: 'empty result',
    attributes: { axes: [1], keepDims: true },
    inputs: [{ shape: [0, 3] }],
  }),
  ...examplesOf('argMax', {
    name: 'empty result',
    attributes: { axis: 1, keepDims: false },
    inputs: [{ shape: [0, 3] }],
  }),
  ...examplesOf('cumsum', { name: 'empty', attributes: { axis: 1 }, inputs: [{ shape: [2, 0] }] }),
  ...examplesOf('sort', {
    name: 'empty',
    attributes: { axis: 0, descending: false },
    inputs: [{ shape: [0, 2] }],
  }),
  ...examplesOf('reshape', {
    name: 'empty',
    attributes: { shape: [5, 0] },
    inputs: [{ shape: [0, 2, 3] }],
  }),
  ...examplesOf('permute', {
    name: 'empty',
    attributes: { permutation: [0, 2, 3, 1] },
    inputs: [{ shape: [2, 0, 3, 4] }],
  }),
  ...examplesOf('broadcastTo', {
    name: 'empty',
    attributes: { shape: [0, 3] },
    inputs: [{ shape: [1, 3] }],
  }),
  ...examplesOf('pad', {
    name: 'from nothing',
    attributes: { before: [1], after: [2], interior: [1], value: 0.5 },
    inputs: [{ shape: [0] }],
  }),
  ...examplesOf('slice', {
    name: 'to nothing',
    attributes: { starts: [1, 0], sizes: [0, 2], steps: [1, 1] },
    inputs: [{ shape: [3, 2] }],
  }),
  ...examplesOf('flip', { name: 'empty', attributes: { axes: [0] }, inputs: [{ shape: [0, 2] }] }),
  ...examplesOf('concat', {
    name: 'with nothing',
    attributes: { axis: 0 },
    inputs: [{ shape: [0, 2] }, { shape: [2, 2] }, { shape: [0, 2] }],
  }),
  ...examplesOf('gather', {
    name: 'nothing',
    attributes: { axis: 0 },
    inputs: [{ shape: [3, 2] }, { shape: [0, 2], dtype: 'int32' }],
  }),
  ...examplesOf('scatterAdd', {
    name: 'nothing',
    attributes: { axis: 0 },
    inputs: [{ shape: [3, 2] }, { shape: [0, 2], dtype: 'int32' }, { shape: [0, 2] }],
  }),
  ...examplesOf(
    'matmul',
    {
      name: 'no rows',
      attributes: { transposeA: false, transposeB: false },
      inputs: [{ shape: [0, 3] }, { shape: [3, 2] }],
    },
    {
      name: 'nothing to sum',
      attributes: { transposeA: false, transposeB: true },
      inputs: [{ shape: [2, 0] }, { shape: [3, 0] }],
    },
    {
      name: 'no batch',
      attributes: { transposeA: true, transposeB: false },
      inputs: [{ shape: [0, 3, 2] }, { shape: [1, 3, 2] }],
    },
  ),
  ...examplesOf(
    'conv2d',
    {
      name: 'no images',
      attributes: conv,
      inputs: [{ shape: [0, 2, 4, 4] }, { shape: [3, 2, 3, 3] }],
    },
    {
      name: 'no channels',
      attributes: conv,
      inputs: [{ shape: [1, 0, 3, 3] }, { shape: [2, 0, 3, 3] }],
    },
    {
      name: 'no filters',
      attributes: conv,
      inputs: [{ shape: [1, 2, 3, 3] }, { shape: [0, 2, 3, 3] }],
    },
  ),
  ...examplesOf('maxPool2d', {
    name: 'no images',
    attributes: window,
    inputs: [{ shape: [0, 2, 4, 4] }],
  }),
  ...examplesOf('sumPool2d', {
    name: 'no channels',
    attributes: window,
    inputs: [{ shape: [2, 0, 4, 4] }],
  }),
  ...emptyResampling,
  ...examplesOf('softmax', {
    name: 'no rows',
    attributes: { axis: 1 },
    inputs: [{ shape: [0, 3] }],
  }),
  ...examplesOf('logSoftmax', {
    name: 'no classes',
    attributes: { axis: 1 },
    inputs: [{ shape: [3, 0] }],
  }),
];
