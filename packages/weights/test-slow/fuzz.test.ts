import { describe, expect, it } from 'vitest';

import { fuzz, targets } from '../test/fuzz.ts';

const COUNT = 3000;

describe(`${COUNT} damaged files`, () => {
  it.each(targets)(
    'of $format give tensors or a WeightsError, in bounded time and memory',
    async (target) => {
      const before = process.memoryUsage.rss();
      const { read, refused, slowest, largest } = await fuzz(target, COUNT);
      expect(read + refused).toBe(COUNT);
      expect(largest).toBeLessThan(64 << 20);
      // Bounds against runaways, far above what is usual (milliseconds, a few MB).
      expect(slowest).toBeLessThan(10_000);
      expect(process.memoryUsage.rss() - before).toBeLessThan(1 << 30);
    },
  );
});
