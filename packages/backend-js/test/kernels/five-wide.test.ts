// Kernels five wide, against the definition.

import type { Conv2dAttributes, Shape } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { geometryOf, reversed } from '../../src/kernels/conv-geometry.ts';
import { fiveWideGradientPays, fiveWidePays } from '../../src/kernels/five-wide.ts';
import { differences, randomTensor, run } from './dense-running.ts';
import { naiveConv2d, naiveFilterGradient, naiveInputGradient } from './naive.ts';

interface Sized {
  readonly x: Shape;
  readonly filter: Shape;
  readonly y: Shape;
  readonly attributes: Conv2dAttributes;
}

const side = fc.integer({ min: -1, max: 5 });

/** Rows of any stride and dilation, columns of stride 1. */
const convolutions: fc.Arbitrary<Sized> = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    groups: fc.integer({ min: 1, max: 2 }),
    inputs: fc.integer({ min: 2, max: 3 }),
    outputs: fc.integer({ min: 1, max: 5 }),
    height: fc.integer({ min: 1, max: 9 }),
    width: fc.integer({ min: 4, max: 11 }),
    kernelHeight: fc.integer({ min: 1, max: 5 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    padding: fc.tuple(side, side, side, side),
  })
  .map(({ batch, groups, inputs, outputs, height, width, kernelHeight, ...rest }) => {
    const [top, bottom, left, right] = rest.padding;
    const reach = (kernelHeight - 1) * rest.dilation + 1;
    return {
      x: [batch, groups * inputs, height, width],
      filter: [groups * outputs, inputs, kernelHeight, 5],
      y: [
        batch,
        groups * outputs,
        Math.floor((height + top + bottom - reach) / rest.stride) + 1,
        width + left + right - 4,
      ],
      attributes: {
        stride: [rest.stride, 1] as const,
        padding: rest.padding,
        lhsDilation: [1, 1] as const,
        rhsDilation: [rest.dilation, 1] as const,
        groups,
      },
    };
  })
  .filter(({ y, x, attributes: { padding } }) => {
    const [top, bottom, left, right] = padding;
    return y[2]! > 0 && y[3]! >= 4 && x[2]! + top + bottom > 0 && x[3]! + left + right > 0;
  });

describe('kernels five wide', () => {
  it('equal the definition', () => {
    fc.assert(
      fc.property(convolutions, ({ x, filter, y, attributes }) => {
        expect(fiveWidePays(geometryOf(x, filter, y, attributes))).toBe(true);
        const [input, weight] = [randomTensor(x, 1), randomTensor(filter, 2)];
        const [made] = run('conv2d', [input, weight], attributes);
        expect(differences(made!, naiveConv2d(input, weight, y, attributes))).toEqual([]);
      }),
    );
  });

  it('give the gradient of the filter', () => {
    fc.assert(
      fc.property(convolutions, ({ x, filter, y, attributes }) => {
        expect(fiveWideGradientPays(geometryOf(x, filter, y, attributes))).toBe(true);
        const [input, gradient] = [randomTensor(x, 1), randomTensor(y, 2)];
        const kernelSize = [filter[2]!, filter[3]!] as const;
        const [made] = run('conv2dFilterGradient', [input, gradient], {
          ...attributes,
          kernelSize,
        });
        const expected = naiveFilterGradient(input, gradient, filter, attributes);
        expect(differences(made!, expected)).toEqual([]);
      }),
    );
  });

  it('give the gradient of the input, where rows have stride 1', () => {
    fc.assert(
      fc.property(convolutions, ({ x, filter, y, attributes }) => {
        fc.pre(attributes.stride[0] === 1);
        expect(fiveWidePays(reversed(geometryOf(x, filter, y, attributes)))).toBe(true);
        const [gradient, weight] = [randomTensor(y, 1), randomTensor(filter, 2)];
        const inputSize = [x[2]!, x[3]!] as const;
        const [made] = run('conv2dInputGradient', [gradient, weight], { ...attributes, inputSize });
        expect(differences(made!, naiveInputGradient(gradient, weight, x, attributes))).toEqual([]);
      }),
    );
  });
});
