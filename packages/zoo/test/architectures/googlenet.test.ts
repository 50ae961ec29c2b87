import { add, mul, noGrad, scope, tensor } from '@convoke/core';
import { beforeAll, describe, expect, it } from 'vitest';

import type { WithAuxiliary } from '../../src/architecture.ts';
import { googlenet } from '../../src/architectures/googlenet.ts';
import { build, fill, inputOf, logitsOf, relativeError, useBackend } from './lab.ts';

beforeAll(async () => {
  await useBackend('workers');
});

const shape = [2, 3, 96, 80];

describe('googlenet', () => {
  it('gives two more predictions in training, and the logits alone at evaluation', () => {
    const model = build(googlenet, 'googlenet') as WithAuxiliary;
    const shapes = (): (readonly number[])[] =>
      scope(() => model.forwardWithAuxiliary(inputOf(shape)).map((y) => y.shape));
    expect(shapes()).toEqual([[2, 1000]]);
    model.train();
    expect(shapes()).toEqual([
      [2, 1000],
      [2, 1000],
      [2, 1000],
    ]);
    expect(model.auxiliaryShares).toEqual([0.3, 0.3]);
  });

  it('gives the same logits without auxiliary classifiers', async () => {
    const whole = fill(build(googlenet, 'googlenet'));
    const without = fill(build(googlenet, 'googlenet', { auxiliary: false }));
    expect([...without.stateDict().keys()].some((name) => name.startsWith('aux'))).toBe(false);
    expect(await logitsOf(without, shape)).toEqual(await logitsOf(whole, shape));
    const { auxiliaryShares } = without as WithAuxiliary;
    expect(auxiliaryShares).toEqual([]);
  });

  it('changes images normalised by mean and deviation to values around 0 with transformInput', async () => {
    const plain = fill(build(googlenet, 'googlenet'));
    const transforming = fill(build(googlenet, 'googlenet', { transformInput: true }));
    const row = (values: number[]) => tensor(values, { shape: [1, 3, 1, 1] });
    // What undoes (v - mean) / std and does (v - 0.5) / 0.5.
    const expected = await noGrad(() =>
      plain.forward(
        mul(
          add(
            add(mul(inputOf(shape), row([0.229, 0.224, 0.225])), row([0.485, 0.456, 0.406])),
            -0.5,
          ),
          2,
        ),
      ),
    ).data();
    expect(relativeError(await logitsOf(transforming, shape), expected)).toBeLessThan(1e-5);
    expect(relativeError(await logitsOf(plain, shape), expected)).toBeGreaterThan(1e-3);
  });

  it('trains auxiliary classifiers of the paper on sizes other than 224 too', () => {
    const model = build(googlenet, 'googlenet_2014').train() as WithAuxiliary;
    for (const size of [224, 161, 96]) {
      const count = scope(() => model.forwardWithAuxiliary(inputOf([1, 3, size, size])).length);
      expect(count).toBe(3);
    }
  });
});
