import { expect, test } from 'vitest';

import { peakLoop } from '../src/peak.ts';

test('the loop is a valid module, runs without overflow, and counts two operations a lane', () => {
  const peak = peakLoop();
  peak.run();
  expect(peak.flops % (4 * 2)).toBe(0);
});
