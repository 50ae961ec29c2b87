// The conformance kit on one thread and on two, in both precisions, and on one worker with private memory. No exceptions.

import { describeConformance } from '@convoke/backend-testkit';
import { describe, test } from 'vitest';

import { workers, type Precision } from '../src/index.ts';

const precisions: readonly Precision[] = ['fast', 'strict'];

for (const threads of [1, 2]) {
  for (const precision of precisions) {
    describe(`${threads === 1 ? '1 thread' : `${threads} threads`}, ${precision}`, () => {
      const createOptions = { threads, precision };
      describeConformance({ describe, test }, workers, { createOptions, precision });
    });
  }
}

describe('private memory', () => {
  const createOptions = { sharedMemory: false };
  const only = /^(?!golden|gradients|second order|donated inputs)/;
  describeConformance({ describe, test }, workers, { createOptions, precision: 'fast', only });
});

describe('in little memory', () => {
  const createOptions = { threads: 2, maxMemory: 2 ** 23 };
  describeConformance({ describe, test }, workers, { createOptions, only: 'ownership/' });
});
