// Tensors from nothing but attributes or a key.

import { sizeOf } from '@convoke/backend-api';

import { planFill, planIota, planRandomBits } from '../kernels/creation.ts';
import type { Planners } from './planner.ts';

export const creation: Planners = {
  fill(p, { dtype, value, shape }) {
    planFill(p.encoder, { y: p.uniformOutput(), dtype, count: sizeOf(shape), value });
  },

  iota(p, { shape, dtype, axis }) {
    const y = p.output();
    if (shape.includes(0)) return;
    planIota(p.encoder, { y, dtype: dtype as 'float32' | 'int32', shape, axis });
  },

  randomBits(p, { shape }) {
    planRandomBits(p.encoder, { key: p.at(0), y: p.output(), count: sizeOf(shape) });
  },
};
