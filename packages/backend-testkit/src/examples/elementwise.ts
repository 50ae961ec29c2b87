// Examples of elementwise ops: smooth ranges for gradients, wide ones for accuracy at the ends, all forms of broadcasting.

import type { OpName } from '@convoke/backend-api';

import type { Recipe } from '../source.ts';
import { examplesOf, type Example } from './example.ts';

interface Curve {
  readonly op: OpName;
  readonly attributes?: object;
  /** For gradients. */
  readonly smooth?: Omit<Recipe, 'shape'>;
  /** For values only. */
  readonly wide?: Omit<Recipe, 'shape'>;
  readonly int32?: boolean;
}

const halves = [-2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 3.25, -3.75];
const kinks = [-3, 0, 3, 6];

const curves: readonly Curve[] = [
  { op: 'neg', int32: true },
  { op: 'abs', smooth: { avoid: [0] }, int32: true },
  { op: 'sign', wide: { values: [-2, -0.25, 0, 0.25, 2] }, int32: true },
  { op: 'exp', wide: { range: [-80, 80] } },
  { op: 'log', smooth: { range: [0.1, 3] }, wide: { range: [0.001, 1e6] } },
  { op: 'log1p', smooth: { range: [-0.8, 2] }, wide: { values: [1e-7, -1e-7, 1e-4, 0, 1e6] } },
  { op: 'sqrt', smooth: { range: [0.1, 3] }, wide: { range: [0, 1e6] } },
  { op: 'sin', wide: { range: [-20, 20] } },
  { op: 'cos', wide: { range: [-20, 20] } },
  { op: 'tanh', wide: { values: [-50, -5, -1e-4, 0, 1e-4, 5, 50] } },
  { op: 'erf', wide: { range: [-6, 6] } },
  { op: 'floor', wide: { values: halves } },
  { op: 'round', wide: { values: halves } },
  { op: 'rsqrt', smooth: { range: [0.2, 3] }, wide: { range: [0.01, 1e6] } },
  { op: 'square', int32: true },
  { op: 'reciprocal', smooth: { range: [0.3, 2] }, wide: { range: [-2, -0.3] } },
  { op: 'sigmoid', wide: { range: [-90, 90] } },
  { op: 'logSigmoid', smooth: { avoid: [0] }, wide: { range: [-90, 90] } },
  { op: 'relu', smooth: { avoid: [0] }, int32: true },
  { op: 'clamp', attributes: { min: -1, max: 0.5 }, smooth: { avoid: [-1, 0.5] }, int32: true },
  { op: 'leakyRelu', attributes: { negativeSlope: 0.125 }, smooth: { avoid: [0] } },
  { op: 'elu', attributes: { alpha: 1.25 }, smooth: { avoid: [0] }, wide: { range: [-90, 90] } },
  { op: 'selu', smooth: { avoid: [0] }, wide: { range: [-90, 90] } },
  { op: 'silu', wide: { range: [-90, 90] } },
  { op: 'mish', smooth: { avoid: [0] }, wide: { range: [-60, 60] } },
  { op: 'softplus', smooth: { avoid: [0] }, wide: { range: [-90, 90] } },
  { op: 'softsign', smooth: { avoid: [0] }, wide: { range: [-90, 90] } },
  {
    op: 'hardswish',
    smooth: { range: [-5, 8], avoid: kinks },
    wide: { values: [...kinks, -4, 4] },
  },
  {
    op: 'hardsigmoid',
    smooth: { range: [-5, 8], avoid: kinks },
    wide: { values: [...kinks, -4, 4] },
  },
  { op: 'gelu', attributes: { approximate: 'none' }, wide: { range: [-12, 12] } },
  { op: 'scaledTanh', attributes: { amplitude: 1.7159, slope: 2 / 3 }, wide: { range: [-30, 30] } },
];

const unary: Example[] = curves.flatMap(({ op, attributes = {}, smooth = {}, wide, int32 }) =>
  examplesOf(
    op,
    { name: 'smooth', attributes: attributes as never, inputs: [{ shape: [2, 3, 4], ...smooth }] },
    { name: 'scalar', attributes: attributes as never, inputs: [{ shape: [], ...smooth }] },
    ...(wide
      ? [
          {
            name: 'wide',
            attributes: attributes as never,
            inputs: [{ shape: [37], ...wide }],
            differentiate: false,
          },
        ]
      : []),
    ...(int32
      ? [
          {
            name: 'int32',
            attributes: attributes as never,
            inputs: [{ shape: [3, 7], dtype: 'int32' as const }],
          },
        ]
      : []),
  ),
);

const attributes = {};

/** Every form of broadcasting for an op of two float32 inputs. */
function pairs(
  op: OpName,
  a: Omit<Recipe, 'shape'> = {},
  b: Omit<Recipe, 'shape'> = {},
): Example[] {
  const shapes: Readonly<Record<string, readonly [readonly number[], readonly number[]]>> = {
    equal: [
      [2, 3, 4],
      [2, 3, 4],
    ],
    scalar: [[2, 3], []],
    'scalar first': [[], [5]],
    row: [[3, 4], [4]],
    column: [
      [3, 4],
      [3, 1],
    ],
    channels: [
      [2, 3, 2, 2],
      [3, 1, 1],
    ],
    'both ways': [
      [3, 1, 2],
      [4, 1],
    ],
    'six axes': [
      [2, 1, 2, 1, 2, 3],
      [1, 3, 1, 2, 1, 3],
    ],
  };
  return Object.entries(shapes).flatMap(([name, [left, right]]) =>
    examplesOf(op, {
      name,
      attributes: attributes as never,
      inputs: [
        { shape: left, ...a },
        { shape: right, ...b },
      ],
    }),
  );
}

/** Whole numbers, then equal inputs, for ops that compare. */
function ordered(
  op: OpName,
  dtypes: readonly ('float32' | 'int32' | 'uint8' | 'bool')[],
): Example[] {
  return dtypes.flatMap((dtype) =>
    examplesOf(op, {
      name: dtype,
      attributes: attributes as never,
      inputs: [
        {
          shape: [4, 5],
          dtype,
          range: [0, 4],
          ...(dtype === 'float32' && { values: [0, 1, 2, 0.5] }),
        },
        { shape: [5], dtype, range: [0, 4], ...(dtype === 'float32' && { values: [0, 2, 1] }) },
      ],
      differentiate: false,
    }),
  );
}

const everyDtype = ['float32', 'int32', 'uint8', 'bool'] as const;

const binary: Example[] = [
  ...pairs('add'),
  ...pairs('sub'),
  ...pairs('mul'),
  ...pairs('div', {}, { range: [0.5, 2] }),
  ...pairs('pow', { range: [0.3, 2] }, { range: [-2, 3] }),
  ...pairs('minimum', { values: [0, 1, 2, -1, 0.5] }, { values: [0.25, 1.25, -0.5] }),
  ...pairs('maximum', { values: [0, 1, 2, -1, 0.5] }, { values: [0.25, 1.25, -0.5] }),
  ...examplesOf(
    'reluGradient',
    {
      name: 'both sides of 0',
      attributes,
      inputs: [{ shape: [3, 7] }, { shape: [3, 7], values: [1, -1, 0.5, -0.5] }],
    },
    {
      name: 'at 0',
      attributes,
      inputs: [{ shape: [5] }, { shape: [5], values: [0, 1] }],
      differentiate: false,
    },
  ),
  ...ordered('add', ['int32']),
  ...ordered('sub', ['int32']),
  ...ordered('minimum', ['int32']),
  ...ordered('maximum', ['int32']),
  ...examplesOf('mul', {
    name: 'int32 wraps',
    attributes,
    inputs: [
      { shape: [3], dtype: 'int32', values: [65537, -65539, 3] },
      { shape: [3], dtype: 'int32', values: [65539, 65537, -7] },
    ],
  }),
  ...examplesOf('pow', {
    name: 'whole exponents of negative bases',
    attributes,
    inputs: [
      { shape: [6], values: [-2, -0.5, 0, -1.5, 2, -3] },
      { shape: [6], values: [3, 2, 2, -1, 0, -2] },
    ],
    differentiate: false,
  }),
  ...(['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'] as const).flatMap(
    (op) => ordered(op, everyDtype),
  ),
];

const selections: Example[] = everyDtype.flatMap((dtype) =>
  examplesOf('select', {
    name: dtype,
    attributes,
    inputs: [
      { shape: [3, 1], dtype: 'bool', values: [1, 0, 1] },
      { shape: [3, 4], dtype },
      { shape: [2, 1, 4], dtype },
    ],
  }),
);

const casts: Example[] = [
  ...everyDtype.flatMap((dtype) =>
    examplesOf(
      'cast',
      {
        name: `float32 to ${dtype}`,
        attributes: { dtype },
        inputs: [{ shape: [6], values: [0, 1.75, 2, 3.5, 100.25, 0.5] }],
      },
      {
        name: `int32 to ${dtype}`,
        attributes: { dtype },
        inputs: [{ shape: [5], dtype: 'int32', values: [0, 1, 2, 99, 255] }],
      },
      {
        name: `uint8 to ${dtype}`,
        attributes: { dtype },
        inputs: [{ shape: [4], dtype: 'uint8', values: [0, 1, 128, 255] }],
      },
      { name: `bool to ${dtype}`, attributes: { dtype }, inputs: [{ shape: [5], dtype: 'bool' }] },
    ),
  ),
  ...examplesOf('cast', {
    name: 'negative float32 to int32',
    attributes: { dtype: 'int32' },
    inputs: [{ shape: [4], values: [-1.75, -0.5, -2, -70000.5] }],
  }),
];

export const elementwise: readonly Example[] = [
  ...unary,
  ...examplesOf('gelu', {
    name: 'tanh approximation',
    attributes: { approximate: 'tanh' },
    inputs: [{ shape: [3, 5] }],
  }),
  ...binary,
  ...selections,
  ...casts,
];
