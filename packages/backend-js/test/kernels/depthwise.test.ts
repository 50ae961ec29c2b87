import type { Conv2dAttributes, Pair } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { definition } from '@convoke/backend-api';
import { naiveConv2d, naiveFilterGradient, naiveInputGradient } from './naive.ts';
import { differences, randomTensor, run } from './dense-running.ts';

function check(
  batch: number,
  channels: number,
  multiplier: number,
  size: Pair,
  kernel: Pair,
  rest: Partial<Conv2dAttributes>,
): string[] {
  const found: string[] = [];
  const attributes: Conv2dAttributes = {
    stride: [1, 1],
    padding: [0, 0, 0, 0],
    lhsDilation: [1, 1],
    rhsDilation: [1, 1],
    ...rest,
    groups: channels,
  };
  const x = randomTensor([batch, channels, ...size], 1);
  const w = randomTensor([channels * multiplier, 1, ...kernel], 2);
  const output = definition('conv2d').infer([x.spec, w.spec], attributes)[0]!.shape;
  const gradient = randomTensor(output, 3);
  found.push(
    ...differences(run('conv2d', [x, w], attributes)[0]!, naiveConv2d(x, w, output, attributes)),
  );
  found.push(
    ...differences(
      run('conv2dInputGradient', [gradient, w], { ...attributes, inputSize: size })[0]!,
      naiveInputGradient(gradient, w, x.spec.shape, attributes),
    ),
  );
  found.push(
    ...differences(
      run('conv2dFilterGradient', [x, gradient], { ...attributes, kernelSize: kernel })[0]!,
      naiveFilterGradient(x, gradient, w.spec.shape, attributes),
    ),
  );
  return found;
}

function pair(min: number, max: number): fc.Arbitrary<Pair> {
  return fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
}

describe('depthwise convolution and its gradients', () => {
  it('equal the definition for kernels of any size, stride, dilation and multiplier', () => {
    const side = fc.integer({ min: 0, max: 4 });
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        pair(1, 9),
        pair(1, 9),
        pair(1, 3),
        pair(1, 2),
        fc.tuple(side, side, side, side),
        (channels, multiplier, size, kernel, stride, rhsDilation, padding) => {
          const fits = [0, 1].every(
            (axis) =>
              size[axis]! + padding[2 * axis]! + padding[2 * axis + 1]! >=
              (kernel[axis]! - 1) * rhsDilation[axis]! + 1,
          );
          fc.pre(fits);
          expect(
            check(2, channels, multiplier, size, kernel, { stride, rhsDilation, padding }),
          ).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([3, 5, 7])(
    'equal the definition for a %ix%i kernel with and without stride',
    (kernel) => {
      const low = (kernel - 1) / 2;
      const padding = [low, low, low, low] as const;
      expect(check(2, 3, 1, [11, 12], [kernel, kernel], { padding })).toEqual([]);
      expect(check(2, 3, 1, [11, 12], [kernel, kernel], { padding, stride: [2, 2] })).toEqual([]);
    },
  );

  it('take empty batches', () => {
    expect(check(0, 3, 1, [4, 4], [3, 3], {})).toEqual([]);
  });
});
