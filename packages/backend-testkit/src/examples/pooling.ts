// Examples of pooling: windows that overlap, leave gaps, reach into the padding or lie wholly in it.

import {
  conv2dOutputSize,
  type AveragePool2dAttributes,
  type Window2dAttributes,
} from '@convoke/backend-api';

import { examplesOf, type Example } from './example.ts';

interface Window extends Window2dAttributes {
  readonly name: string;
  readonly x: readonly [number, number, number, number];
}

const plain = { padding: [0, 0, 0, 0], dilation: [1, 1] } as const;

const windows: readonly Window[] = [
  { ...plain, name: 'halving', x: [2, 3, 4, 6], kernelSize: [2, 2], stride: [2, 2] },
  {
    ...plain,
    name: 'overlapping',
    x: [1, 2, 5, 5],
    kernelSize: [3, 3],
    stride: [2, 2],
    padding: [1, 1, 1, 1],
  },
  {
    ...plain,
    name: 'stride one',
    x: [1, 1, 4, 5],
    kernelSize: [3, 2],
    stride: [1, 1],
    padding: [1, 1, 0, 1],
  },
  { ...plain, name: 'gaps', x: [1, 2, 7, 7], kernelSize: [2, 1], stride: [3, 2] },
  {
    ...plain,
    name: 'dilated',
    x: [1, 1, 7, 6],
    kernelSize: [3, 2],
    stride: [1, 2],
    dilation: [2, 3],
    padding: [1, 0, 0, 1],
  },
  {
    ...plain,
    name: 'uneven padding',
    x: [1, 1, 5, 4],
    kernelSize: [2, 3],
    stride: [2, 2],
    padding: [0, 1, 1, 2],
  },
  { ...plain, name: 'whole plane', x: [2, 2, 3, 4], kernelSize: [3, 4], stride: [1, 1] },
  {
    ...plain,
    name: 'wholly in the padding',
    x: [1, 1, 2, 2],
    kernelSize: [2, 2],
    stride: [2, 2],
    padding: [2, 0, 2, 0],
  },
  {
    ...plain,
    name: 'large',
    x: [2, 9, 15, 17],
    kernelSize: [3, 3],
    stride: [2, 2],
    padding: [1, 1, 1, 1],
  },
];

const divisors: Readonly<Record<string, AveragePool2dAttributes['divisor']>> = {
  kernel: 'kernel',
  valid: 'valid',
  padded: 'padded',
  number: 2.5,
};

function outputShape({ x, kernelSize, ...window }: Window): number[] {
  const geometry = { ...window, lhsDilation: [1, 1] as const, rhsDilation: window.dilation };
  return [x[0], x[1], ...conv2dOutputSize('pool', x.slice(2), kernelSize, geometry)];
}

export const pooling: readonly Example[] = windows.flatMap((window) => {
  const { name, x, ...attributes } = window;
  const inputSize = [x[2], x[3]] as const;
  const y = outputShape(window);
  const differentiate = name !== 'large';
  // A window without elements has no mean over its valid ones, and its maximum of -infinity has no differences.
  const empty = name === 'wholly in the padding';
  return [
    examplesOf(
      'maxPool2d',
      {
        name,
        attributes,
        inputs: [{ shape: x, distinct: true }],
        differentiate: differentiate && !empty,
      },
      {
        name: `${name}, ties`,
        attributes,
        inputs: [{ shape: x, values: [1, 0, 1, 1, 0, 2, 0] }],
        differentiate: false,
      },
    ),
    examplesOf('maxPool2dGradient', {
      name,
      attributes: { inputSize },
      inputs: [{ shape: y }, { shape: y, dtype: 'int32', range: [-1, x[2] * x[3]] }],
      differentiate,
    }),
    examplesOf('sumPool2d', { name, attributes, inputs: [{ shape: x }], differentiate }),
    examplesOf('sumPool2dGradient', {
      name,
      attributes: { ...attributes, inputSize },
      inputs: [{ shape: y }],
      differentiate,
    }),
    Object.entries(divisors)
      .filter(([, divisor]) => !(empty && divisor === 'valid'))
      .flatMap(([counting, divisor]) => {
        const countedPadding = attributes.padding.map((side) => Math.min(side, 1));
        const average = {
          ...attributes,
          divisor,
          countedPadding: countedPadding as unknown as Window2dAttributes['padding'],
        };
        if (empty && divisor === 'padded') average.countedPadding = attributes.padding;
        return [
          examplesOf('averagePool2d', {
            name: `${name}, ${counting}`,
            attributes: average,
            inputs: [{ shape: x }],
            differentiate,
          }),
          examplesOf('averagePool2dGradient', {
            name: `${name}, ${counting}`,
            attributes: { ...average, inputSize },
            inputs: [{ shape: y }],
            differentiate,
          }),
        ].flat();
      }),
  ].flat();
});
