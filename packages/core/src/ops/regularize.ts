// Regularisers that act on activations, in training only. At evaluation the caller leaves them out.

import { ShapeError } from '@convoke/backend-api';

import type { Generator } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { expectFloat32 } from './checks.ts';
import { mul } from './elementwise.ts';

export interface DropoutOptions {
  /** Probability that an element becomes 0, in [0, 1]. Default 0.5. */
  readonly p?: number | undefined;
  /** Where the random numbers come from: one draw is taken. */
  readonly generator: Generator;
}

/** Each element 0 with probability p, or divided by 1 - p so that the mean stays (Srivastava et al. 2014). */
export function dropout(x: Tensor, options: DropoutOptions): Tensor {
  const { p = 0.5, generator } = options;
  if (!(p >= 0 && p <= 1)) {
    throw new ShapeError(`dropout: p is a probability in [0, 1], got ${p}`);
  }
  expectFloat32('dropout', 'input', x);
  return scope(() => {
    const kept = generator.bernoulli(x.shape, 1 - p, { backend: x.backend });
    return mul(x, mul(kept, p === 1 ? 0 : 1 / (1 - p)));
  });
}
