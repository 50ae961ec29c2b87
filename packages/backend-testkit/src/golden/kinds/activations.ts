// Activations as golden kinds, one a word of `op`, and the two softmaxes, which only their numbers tell apart.

import {
  elu,
  erf,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  prelu,
  relu,
  relu6,
  scaledTanh,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  tanh,
  type Tensor,
} from '@convoke/core';

import { numberOf, type Attributes } from '../attributes.ts';
import type { GoldenCase } from '../case.ts';
import { valuesOf } from '../compare.ts';
import { hostTensor, type Kind } from '../kind.ts';

const activations: Record<string, (x: Tensor, attrs: Attributes) => Tensor> = {
  relu,
  relu6,
  sigmoid,
  tanh,
  silu,
  selu,
  mish,
  softplus,
  softsign,
  hardswish,
  hardsigmoid,
  erf,
  logsigmoid: logSigmoid,
  scaled_tanh: (x) => scaledTanh(x),
  gelu: (x) => gelu(x),
  gelu_tanh: (x) => gelu(x, { approximate: 'tanh' }),
  hardtanh: (x, attrs) =>
    hardtanh(x, { min: numberOf(attrs, 'min_val', -1), max: numberOf(attrs, 'max_val', 1) }),
  elu: (x, attrs) => elu(x, { alpha: numberOf(attrs, 'alpha', 1) }),
  leaky_relu: (x, attrs) =>
    leakyRelu(x, { negativeSlope: numberOf(attrs, 'negative_slope', 0.01) }),
  leaky_relu_02: (x) => leakyRelu(x, { negativeSlope: 0.2 }),
};

/** Probabilities add up to something positive, their logarithms never do. */
function looksLikeProbabilities({ outputs }: GoldenCase): boolean {
  return valuesOf(hostTensor(outputs, 'y')).reduce((sum, value) => sum + value, 0) > 0;
}

export const activationKinds: readonly Kind[] = [
  ...Object.entries(activations).map(([name, activation]): Kind => ({
    name,
    attrs: ['op'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({ y: activation(inputs.of('x'), attrs) }),
  })),
  {
    name: 'prelu',
    attrs: ['op'],
    inputs: ['x', 'weight'],
    compute: (inputs) => ({ y: prelu(inputs.of('x'), inputs.of('weight')) }),
  },
  {
    name: 'softmax',
    attrs: ['dim'],
    inputs: ['x'],
    when: looksLikeProbabilities,
    compute: (inputs, attrs) => ({
      y: softmax(inputs.of('x'), { axis: numberOf(attrs, 'dim', -1) }),
    }),
  },
  {
    name: 'log_softmax',
    attrs: ['dim'],
    inputs: ['x'],
    when: (goldenCase) => !looksLikeProbabilities(goldenCase),
    compute: (inputs, attrs) => ({
      y: logSoftmax(inputs.of('x'), { axis: numberOf(attrs, 'dim', -1) }),
    }),
  },
];
