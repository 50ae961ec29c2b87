// Ops that make tensors from nothing but their attributes, or from a random key.

import type { OpDefinition } from '../builder.ts';
import { checkDtype, checkShape } from '../spec.ts';
import type { OpAttributes } from './attributes.ts';
import { expectAxis, expectDtype, expectInputs, expectShape } from './checks.ts';

type Creation = 'fill' | 'iota' | 'randomBits';

export const creation: { readonly [K in Creation]: OpDefinition<OpAttributes[K]> } = {
  fill: {
    summary: 'a tensor of one value',
    gradient: 'none',
    infer(inputs, { shape, dtype }) {
      expectInputs('fill', inputs, 0);
      checkShape('fill', shape);
      checkDtype('fill', dtype);
      return [{ shape, dtype }];
    },
  },
  iota: {
    summary: 'each element its index along an axis',
    gradient: 'none',
    infer(inputs, { shape, dtype, axis }) {
      expectInputs('iota', inputs, 0);
      checkShape('iota', shape);
      expectAxis('iota', axis, shape.length);
      const spec = { shape, dtype };
      expectDtype('iota', 'the result', spec, 'float32', 'int32');
      return [spec];
    },
  },
  randomBits: {
    summary:
      'uniform whole numbers in [0, 2^24) from a key: element i is word i % 2 of the Threefry block with counter (i >> 1, 0), shifted right by 8',
    gradient: 'none',
    infer(inputs, { shape }) {
      expectInputs('randomBits', inputs, 1);
      expectDtype('randomBits', 'the key', inputs[0]!, 'int32');
      expectShape('randomBits', 'the key', inputs[0]!, [2]);
      checkShape('randomBits', shape);
      return [{ shape, dtype: 'int32' }];
    },
  },
};
