// Pooling as golden kinds. Average and maximum over adaptive windows look alike but for their numbers.

import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  add,
  avgPool2d,
  maxPool2dWithIndices,
  mul,
} from '@convoke/core';

import { flagOf, numberOf, pairOf } from '../attributes.ts';
import type { GoldenCase } from '../case.ts';
import { valueOf } from '../compare.ts';
import { hostTensor, type Kind } from '../kind.ts';

/** Window i of an axis: from floor(i * size / windows) up to, without, ceil((i + 1) * size / windows). */
function windowsOf(size: number, count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => [
    Math.floor((i * size) / count),
    Math.ceil(((i + 1) * size) / count),
  ]);
}

/** Whether the outputs are nearer to the windows' maxima or to their means; windows of one element leave it open. */
function windowsGive({ inputs, outputs }: GoldenCase): 'maxima' | 'means' | 'either' {
  const x = hostTensor(inputs, 'x');
  const y = hostTensor(outputs, 'y');
  const [height = 1, width = 1] = x.shape.slice(-2);
  const [rows = 1, columns = 1] = y.shape.slice(-2);
  const planes = x.data.length / (height * width);
  let fromMaxima = 0;
  let fromMeans = 0;
  let position = 0;
  for (let plane = 0; plane < planes; plane++) {
    for (const [top, bottom] of windowsOf(height, rows)) {
      for (const [left, right] of windowsOf(width, columns)) {
        let maximum = -Infinity;
        let sum = 0;
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) {
            const value = valueOf(x.data[(plane * height + row) * width + column]!);
            maximum = Math.max(maximum, value);
            sum += value;
          }
        }
        const expected = valueOf(y.data[position++]!);
        fromMaxima += Math.abs(expected - maximum);
        fromMeans += Math.abs(expected - sum / ((bottom - top) * (right - left)));
      }
    }
  }
  if (fromMaxima === fromMeans) return 'either';
  return fromMaxima < fromMeans ? 'maxima' : 'means';
}

export const poolingKinds: readonly Kind[] = [
  {
    name: 'max_pool2d',
    attrs: ['kernel', 'dilation', 'ceil_mode'],
    inputs: ['x'],
    compute: (inputs, attrs) => {
      const kernelSize = pairOf(attrs, 'kernel');
      const { values, indices } = maxPool2dWithIndices(inputs.of('x'), {
        kernelSize,
        stride: attrs['stride'] ? pairOf(attrs, 'stride') : kernelSize,
        padding: pairOf(attrs, 'padding', 0),
        dilation: pairOf(attrs, 'dilation', 1),
        ceilMode: flagOf(attrs, 'ceil_mode'),
      });
      return { y: values, indices };
    },
  },
  {
    name: 'avg_pool2d',
    attrs: ['kernel', 'count_include_pad'],
    inputs: ['x'],
    compute: (inputs, attrs) => {
      const kernelSize = pairOf(attrs, 'kernel');
      return {
        y: avgPool2d(inputs.of('x'), {
          kernelSize,
          stride: attrs['stride'] ? pairOf(attrs, 'stride') : kernelSize,
          padding: pairOf(attrs, 'padding', 0),
          ceilMode: flagOf(attrs, 'ceil_mode'),
          countIncludePad: flagOf(attrs, 'count_include_pad', true),
          divisorOverride: attrs['divisor_override']
            ? numberOf(attrs, 'divisor_override')
            : undefined,
        }),
      };
    },
  },
  {
    name: 'adaptive_max_pool2d',
    attrs: ['output'],
    inputs: ['x'],
    when: (goldenCase) => windowsGive(goldenCase) === 'maxima',
    compute: (inputs, attrs) => ({
      y: adaptiveMaxPool2d(inputs.of('x'), { outputSize: pairOf(attrs, 'output') }),
    }),
  },
  {
    name: 'adaptive_avg_pool2d',
    attrs: ['output'],
    inputs: ['x'],
    when: (goldenCase) => windowsGive(goldenCase) === 'means',
    compute: (inputs, attrs) => ({
      y: adaptiveAvgPool2d(inputs.of('x'), { outputSize: pairOf(attrs, 'output') }),
    }),
  },
  {
    // The mean of both is off wherever one of them is.
    name: 'adaptive_avg_pool2d and adaptive_max_pool2d',
    attrs: ['output'],
    inputs: ['x'],
    when: (goldenCase) => windowsGive(goldenCase) === 'either',
    compute: (inputs, attrs) => {
      const x = inputs.of('x');
      const outputSize = pairOf(attrs, 'output');
      const both = add(adaptiveAvgPool2d(x, { outputSize }), adaptiveMaxPool2d(x, { outputSize }));
      return { y: mul(both, 0.5) };
    },
  },
];
