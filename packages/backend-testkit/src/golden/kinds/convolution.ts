// Convolutions, linear layers and squeeze-and-excitation as golden kinds.

import {
  conv2d,
  convTranspose2d,
  hardsigmoid,
  linear,
  mean,
  mul,
  relu,
  sigmoid,
  silu,
} from '@convoke/core';

import { numberOf, pairOf, wordOf } from '../attributes.ts';
import type { Kind } from '../kind.ts';

const functions = { relu, silu, sigmoid, hardsigmoid };

export const convolutionKinds: readonly Kind[] = [
  {
    name: 'conv_transpose2d',
    attrs: ['stride', 'output_padding'],
    inputs: ['x', 'weight'],
    compute: (inputs, attrs) => ({
      y: convTranspose2d(inputs.of('x'), inputs.of('weight'), {
        bias: inputs.find('bias'),
        stride: pairOf(attrs, 'stride', 1),
        padding: pairOf(attrs, 'padding', 0),
        outputPadding: pairOf(attrs, 'output_padding', 0),
        dilation: pairOf(attrs, 'dilation', 1),
        groups: numberOf(attrs, 'groups', 1),
      }),
    }),
  },
  {
    name: 'conv2d',
    attrs: ['stride', 'padding'],
    inputs: ['x', 'weight'],
    when: ({ inputs }) => inputs?.['weight']?.shape.length === 4,
    compute: (inputs, attrs) => {
      const { padding } = attrs;
      return {
        y: conv2d(inputs.of('x'), inputs.of('weight'), {
          bias: inputs.find('bias'),
          stride: pairOf(attrs, 'stride', 1),
          padding:
            padding === 'same' || padding === 'valid' ? padding : pairOf(attrs, 'padding', 0),
          paddingMode: wordOf(
            attrs,
            'padding_mode',
            ['zeros', 'reflect', 'replicate', 'circular'],
            'zeros',
          ),
          dilation: pairOf(attrs, 'dilation', 1),
          groups: numberOf(attrs, 'groups', 1),
        }),
      };
    },
  },
  {
    name: 'linear',
    attrs: ['bias'],
    inputs: ['x', 'weight'],
    when: ({ inputs }) => inputs?.['weight']?.shape.length === 2,
    compute: (inputs) => ({ y: linear(inputs.of('x'), inputs.of('weight'), inputs.find('bias')) }),
  },
  {
    // Hu, Shen and Sun 2017, arXiv:1709.01507: the channels' means, through two 1x1 convolutions, gate the channels.
    name: 'squeeze_excite',
    attrs: ['act', 'gate'],
    inputs: ['x', 'w1', 'b1', 'w2', 'b2'],
    compute: (inputs, attrs) => {
      const names = ['relu', 'silu', 'sigmoid', 'hardsigmoid'] as const;
      const activation = functions[wordOf(attrs, 'act', names)];
      const gate = functions[wordOf(attrs, 'gate', names)];
      const x = inputs.of('x');
      const squeezed = mean(x, { axis: [2, 3], keepDims: true });
      const hidden = activation(conv2d(squeezed, inputs.of('w1'), { bias: inputs.of('b1') }));
      const excited = conv2d(hidden, inputs.of('w2'), { bias: inputs.of('b2') });
      return { y: mul(x, gate(excited)) };
    },
  },
];
