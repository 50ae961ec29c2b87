import { createMeta, onBackend } from '@convoke/core';
import { summary } from '@convoke/nn';
import { expect, it } from 'vitest';

import { bnInception } from '../../src/architectures/bn-inception.ts';
import { build } from './lab.ts';

it('takes images of any height and width from 7, also where a pool meets an odd size', () => {
  onBackend(createMeta(), () => {
    const model = build(bnInception, 'bn_inception');
    for (let height = 7; height < 120; height += 1) {
      const { layers } = summary(model, [1, 3, height, 240 - height]);
      expect(layers.at(-1)?.activationShape).toEqual([1, 1000]);
    }
    expect(() => summary(model, [1, 3, 6, 6])).toThrow('maxPool2d');
  });
});
