// The js backend, with its fused kernels and again with decompositions only: no exceptions.

import { js } from '@convoke/backend-js';
import { describe, test } from 'vitest';

import { describeConformance } from '../src/index.ts';

describeConformance({ describe, test }, js);

describe('decompositions only', () => {
  describeConformance({ describe, test }, js, { createOptions: { decomposeOnly: true } });
});

describe('in little memory', () => {
  const createOptions = { maxBytes: 2 ** 20 };
  describeConformance({ describe, test }, js, { createOptions, only: 'ownership/' });
});
