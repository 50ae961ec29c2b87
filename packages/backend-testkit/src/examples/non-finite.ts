// Examples with NaN and the infinities, for backends that declare to carry them as IEEE 754 says. Left out is what IEEE leaves
// to the implementation, and what a decomposition mixes (a running sum by matrix product).

import type { OpName } from '@convoke/backend-api';

import { examplesOf, type Example } from './example.ts';
import { nonFiniteResampling } from './resampling.ts';

const special = [NaN, Infinity, -Infinity, 0, -0, 1, -1];

const curves: readonly [OpName, object?][] = [
  ['neg'],
  ['abs'],
  ['sign'],
  ['exp'],
  ['log'],
  ['log1p'],
  ['sqrt'],
  ['sin'],
  ['cos'],
  ['tanh'],
  ['erf'],
  ['floor'],
  ['round'],
  ['rsqrt'],
  ['square'],
  ['reciprocal'],
  ['sigmoid'],
  ['logSigmoid'],
  ['relu'],
  ['clamp', { min: -0.5, max: 0.5 }],
  ['leakyRelu', { negativeSlope: 0.125 }],
  ['elu', { alpha: 1 }],
  ['selu'],
  ['silu'],
  ['softplus'],
  ['softsign'],
  ['hardsigmoid'],
  ['scaledTanh', { amplitude: 1.7159, slope: 2 / 3 }],
];

const pairsOf: readonly OpName[] = [
  'add',
  'sub',
  'mul',
  'div',
  'minimum',
  'maximum',
  'equal',
  'notEqual',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
];

const window = {
  kernelSize: [2, 2],
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  dilation: [1, 1],
} as const;
const conv = {
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
} as const;
const rows = {
  shape: [5, 3],
  values: [
    1,
    NaN,
    2,
    Infinity,
    3,
    1,
    -Infinity,
    -Infinity,
    -Infinity,
    Infinity,
    -Infinity,
    0,
    3,
    4,
    5,
  ],
};

export const nonFinite: readonly Example[] = [
  ...curves.flatMap(([op, attributes = {}]) =>
    examplesOf(op, {
      name: 'special values',
      attributes: attributes as never,
      inputs: [{ shape: [special.length], values: special }],
    }),
  ),
  ...pairsOf.flatMap((op) =>
    examplesOf(op, {
      name: 'special values',
      attributes: {} as never,
      inputs: [
        { shape: [special.length, 1], values: special },
        { shape: [special.length], values: special },
      ],
    }),
  ),
  ...examplesOf('exp', {
    name: 'overflow',
    attributes: {},
    inputs: [{ shape: [3], values: [100, -200, 0] }],
  }),
  ...examplesOf('mul', {
    name: 'overflow',
    attributes: {},
    inputs: [
      { shape: [2], values: [2 ** 100, -(2 ** 100)] },
      { shape: [], values: [2 ** 100] },
    ],
  }),
  ...examplesOf('pow', {
    name: 'special values',
    attributes: {},
    inputs: [
      { shape: [6], values: [0, -2, NaN, Infinity, 2, NaN] },
      { shape: [6], values: [-1, 0.5, 0, 2, -Infinity, 2] },
    ],
  }),
  ...examplesOf('select', {
    name: 'what is not chosen',
    attributes: {},
    inputs: [
      { shape: [4], dtype: 'bool', values: [1, 0, 1, 0] },
      { shape: [4], values: [1, NaN, Infinity, NaN] },
      { shape: [4], values: [NaN, 2, NaN, NaN] },
    ],
  }),
  ...examplesOf('cast', {
    name: 'NaN is true',
    attributes: { dtype: 'bool' },
    inputs: [{ shape: [3], values: [NaN, Infinity, 0] }],
  }),
  ...(['reduceSum', 'reduceMean', 'reduceProd', 'reduceMax', 'reduceMin'] as const).flatMap((op) =>
    examplesOf(op, {
      name: 'special values',
      attributes: { axes: [1], keepDims: false } as never,
      inputs: [rows],
    }),
  ),
  ...examplesOf('reduceMean', {
    name: 'of nothing',
    attributes: { axes: [0], keepDims: false },
    inputs: [{ shape: [0, 2] }],
  }),
  ...(['argMax', 'argMin'] as const).flatMap((op) =>
    examplesOf(op, {
      name: 'special values',
      attributes: { axis: 1, keepDims: false },
      inputs: [rows],
    }),
  ),
  ...[false, true].flatMap((descending) =>
    examplesOf('sort', {
      name: `special values ${descending ? 'falling' : 'rising'}`,
      attributes: { axis: 0, descending },
      inputs: [{ shape: [9], values: [1, NaN, Infinity, 0, -Infinity, NaN, 2, -1, Infinity] }],
    }),
  ),
  ...(['softmax', 'logSoftmax'] as const).flatMap((op) =>
    examplesOf(op, {
      name: 'special values',
      attributes: { axis: 1 },
      inputs: [
        {
          shape: [4, 3],
          values: [1, -Infinity, 2, NaN, 1, 1, -Infinity, -Infinity, -Infinity, 1, 2, 3],
        },
      ],
    }),
  ),
  ...examplesOf('maxPool2d', {
    name: 'special values',
    attributes: window,
    inputs: [
      {
        shape: [1, 2, 3, 3],
        values: [1, NaN, 2, 0, 3, -Infinity, -Infinity, -Infinity, -Infinity, Infinity, 0],
      },
    ],
  }),
  ...examplesOf('sumPool2d', {
    name: 'special values',
    attributes: window,
    inputs: [
      {
        shape: [1, 1, 4, 4],
        values: [1, 2, 3, 4, NaN, 1, 1, 1, 1, 1, Infinity, 1, 1, 1, 1, -Infinity],
      },
    ],
  }),
  ...examplesOf('matmul', {
    name: 'special values',
    attributes: { transposeA: false, transposeB: false },
    inputs: [
      { shape: [3, 2], values: [1, NaN, Infinity, 1, 1, 2] },
      { shape: [2, 2], values: [0, 1, 2, 3] },
    ],
  }),
  ...examplesOf('conv2d', {
    name: 'NaN stays where the kernel reaches it',
    attributes: conv,
    inputs: [
      {
        shape: [1, 1, 6, 6],
        values: [NaN, ...Array.from({ length: 34 }, (_, i) => i / 8), Infinity],
      },
      { shape: [2, 1, 3, 3], range: [0.5, 1] },
    ],
  }),
  ...nonFiniteResampling,
  ...examplesOf('concat', {
    name: 'special values',
    attributes: { axis: 0 },
    inputs: [
      { shape: [7], values: special },
      { shape: [7], values: special },
    ],
  }),
  ...examplesOf('scatterAdd', {
    name: 'special values',
    attributes: { axis: 0 },
    inputs: [
      { shape: [4], values: [1, 2, Infinity, 3] },
      { shape: [3], dtype: 'int32', values: [0, 2, 2] },
      { shape: [3], values: [NaN, -Infinity, 1] },
    ],
  }),
  ...(['permute', 'reshape', 'flip'] as const).flatMap((op) =>
    examplesOf(op, {
      name: 'special values',
      attributes: { permutation: [1, 0], shape: [7], axes: [0] } as never,
      inputs: [{ shape: [1, 7], values: special }],
    }),
  ),
];
