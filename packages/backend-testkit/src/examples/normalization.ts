// Examples of normalisation, softmax, the loss fused with it, and optimiser steps.

import type { Shape } from '@convoke/backend-api';

import { examplesOf, type Example } from './example.ts';

const inputsOf: Readonly<Record<string, Shape>> = {
  vectors: [6, 3],
  images: [2, 3, 2, 3],
  'one channel': [3, 1, 2, 2],
  'one sample': [1, 2, 3, 2],
};
const epsilon = 1e-3;

const batchNorms: Example[] = Object.entries({ ...inputsOf, large: [4, 7, 9, 11] }).flatMap(
  ([name, shape]) => {
    const differentiate = name !== 'large';
    const vector = { shape: [shape[1]!] };
    const scale = { ...vector, range: [0.5, 1.5] as const };
    const attributes = { epsilon };
    return [
      examplesOf('batchNormTrain', {
        name,
        attributes,
        inputs: [{ shape }, scale, vector],
        differentiate,
      }),
      examplesOf('batchNormEval', {
        name,
        attributes,
        inputs: [{ shape }, scale, vector, vector, scale],
        differentiate,
      }),
    ].flat();
  },
);

function alongAxis(op: 'softmax' | 'logSoftmax'): Example[] {
  return examplesOf(
    op,
    { name: 'rows', attributes: { axis: 1 }, inputs: [{ shape: [3, 5] }] },
    { name: 'columns', attributes: { axis: 0 }, inputs: [{ shape: [4, 3] }] },
    { name: 'channels', attributes: { axis: 1 }, inputs: [{ shape: [2, 3, 2, 2] }] },
    { name: 'vector', attributes: { axis: 0 }, inputs: [{ shape: [6] }] },
    {
      name: 'large logits',
      attributes: { axis: 1 },
      inputs: [{ shape: [4, 6], range: [-300, 300] }],
      differentiate: false,
    },
    {
      name: 'many classes',
      attributes: { axis: 1 },
      inputs: [{ shape: [3, 1000], range: [-8, 8] }],
      differentiate: false,
    },
  );
}

const losses: Example[] = [4, 100].flatMap((classCount) => {
  const logits = { shape: [5, classCount], range: [-4, 4] as const };
  const classes = { shape: [5], dtype: 'int32' as const, range: [0, classCount] as const };
  const name = `${classCount} classes`;
  return examplesOf('softmaxCrossEntropy', {
    name,
    attributes: {},
    inputs: [logits, classes],
    differentiate: classCount === 4,
  });
});

const responses: Example[] = [
  { name: 'odd size', size: 5, shape: [2, 6, 2, 2] },
  { name: 'even size', size: 2, shape: [1, 5, 2, 3] },
  { name: 'wider than the channels', size: 7, shape: [2, 3, 4] },
].flatMap(({ name, size, shape }) =>
  examplesOf('localResponseNorm', {
    name,
    attributes: { size, alpha: 0.5, beta: 0.75, k: 1.5 },
    inputs: [{ shape }],
  }),
);

const shapes: readonly Shape[] = [[4, 3], [5], [2, 2, 3, 3]];
const positive = [0.05, 1] as const;

const steps: Example[] = [
  ...(
    [
      ['plain', false, 0, false, 0],
      ['weight decay', false, 0, false, 0.125],
      ['momentum', true, 0, false, 0],
      ['dampening and decay', true, 0.25, false, 0.125],
      ['nesterov', true, 0, true, 0.125],
    ] as const
  ).flatMap(([name, velocity, dampening, nesterov, weightDecay]) =>
    examplesOf('sgdStep', {
      name,
      attributes: { velocity, dampening, nesterov, weightDecay },
      inputs: [
        // The learning rate, and the momentum where there are velocities.
        ...Array.from({ length: velocity ? 2 : 1 }, () => ({ shape: [], range: positive })),
        ...shapes.flatMap((shape) => Array.from({ length: velocity ? 3 : 2 }, () => ({ shape }))),
      ],
    }),
  ),
  ...(
    [
      ['Adam', 0, false],
      ['L2', 0.125, false],
      ['AdamW', 0.125, true],
    ] as const
  ).flatMap(([name, weightDecay, decoupled]) =>
    examplesOf('adamStep', {
      name,
      attributes: { beta2: 0.984375, epsilon: 2 ** -20, weightDecay, decoupled },
      inputs: [
        ...[0, 1, 2, 3].map(() => ({ shape: [], range: positive })),
        ...shapes.flatMap((shape) => [{ shape }, { shape }, { shape }, { shape, range: positive }]),
      ],
    }),
  ),
];

export const normalization: readonly Example[] = [
  ...batchNorms,
  ...responses,
  ...alongAxis('softmax'),
  ...alongAxis('logSoftmax'),
  ...losses,
  ...steps,
];
