import { scope } from '@convoke/core';
import { beforeAll, expect, it } from 'vitest';

import type { WithAuxiliary } from '../../src/architecture.ts';
import { inceptionV3 } from '../../src/architectures/inception-v3.ts';
import { build, fill, inputOf, logitsOf, useBackend } from './lab.ts';

beforeAll(async () => {
  await useBackend('workers');
});

it('gives one more prediction in training, from images that leave its pool 5x5', () => {
  const model = build(inceptionV3, 'inception_v3') as WithAuxiliary;
  const count = (): number =>
    scope(() => model.forwardWithAuxiliary(inputOf([2, 3, 299, 299])).length);
  expect(count()).toBe(1);
  model.train();
  expect(count()).toBe(2);
  expect(model.auxiliaryShares).toEqual([0.4]);
});

it('gives the same logits without the auxiliary classifier', async () => {
  const shape = [1, 3, 161, 193];
  const whole = fill(build(inceptionV3, 'inception_v3'));
  const without = fill(build(inceptionV3, 'inception_v3', { auxiliary: false }));
  expect(whole.stateDict().size - without.stateDict().size).toBe(14);
  expect(await logitsOf(without, shape)).toEqual(await logitsOf(whole, shape));
});
