// 3x3 convolutions large enough for minimal filtering, against the definition.

import type { Conv2dAttributes, Shape } from '@convoke/backend-api';
import { describe, expect, it } from 'vitest';

import { geometryOf } from '../../src/kernels/conv-geometry.ts';
import { winogradPays } from '../../src/kernels/winograd.ts';
import { differences, randomTensor, run } from './dense-running.ts';
import { naiveConv2d, naiveInputGradient } from './naive.ts';

const plain: Conv2dAttributes = {
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
};

/** Sizes [N, C, H, W, O] with sides that are and are no multiples of a tile, odd channels, the most channels, and paddings of every kind. */
const cases: readonly (readonly [readonly number[], Partial<Conv2dAttributes>])[] = [
  [[1, 16, 32, 32, 16], {}],
  [[2, 17, 30, 27, 19], {}],
  [[1, 16, 41, 38, 24], { padding: [0, 0, 0, 0] }],
  [[3, 12, 26, 30, 33], { padding: [2, 0, 1, 3] }],
  [[1, 16, 40, 40, 16], { padding: [-1, -2, 0, -3] }],
  [[1, 2048, 16, 16, 8], {}],
];

interface Sized {
  readonly x: Shape;
  readonly filter: Shape;
  readonly y: Shape;
  readonly attributes: Conv2dAttributes;
}

function sized([n, c, h, w, o]: readonly number[], changes: Partial<Conv2dAttributes>): Sized {
  const attributes = { ...plain, ...changes };
  const [top, bottom, left, right] = attributes.padding;
  return {
    x: [n!, c!, h!, w!],
    filter: [o!, c!, 3, 3],
    y: [n!, o!, h! + top + bottom - 2, w! + left + right - 2],
    attributes,
  };
}

describe('minimal filtering', () => {
  it.each(cases)('%j with %j equals the definition', (sizes, changes) => {
    const { x, filter, y, attributes } = sized(sizes, changes);
    expect(winogradPays(geometryOf(x, filter, y, attributes))).toBe(true);
    const [input, weight] = [randomTensor(x, 1), randomTensor(filter, 2)];
    const [made] = run('conv2d', [input, weight], attributes);
    expect(differences(made!, naiveConv2d(input, weight, y, attributes))).toEqual([]);
  });

  it.each(cases)('the input gradient of %j with %j equals the definition', (sizes, changes) => {
    const { x, filter, y, attributes } = sized(sizes, changes);
    const [gradient, weight] = [randomTensor(y, 3), randomTensor(filter, 4)];
    const inputSize = [x[2]!, x[3]!] as const;
    const [made] = run('conv2dInputGradient', [gradient, weight], { ...attributes, inputSize });
    expect(differences(made!, naiveInputGradient(gradient, weight, x, attributes))).toEqual([]);
  });

  it('is left aside where an element is infinite, which would spread over its tile', () => {
    const { x, filter, attributes } = sized([1, 16, 32, 32, 16], {});
    const [input, weight] = [randomTensor(x, 1), randomTensor(filter, 2)];
    input.data[0] = Infinity;
    const [made] = run('conv2d', [input, weight], attributes);
    // Of the first map only the windows that hold the corner see it.
    const lost = [...made!.data.subarray(0, 32 * 32)].flatMap((value, i) =>
      Number.isFinite(value) ? [] : [i],
    );
    expect(lost).toEqual([0, 1, 32, 33]);
  });
});
