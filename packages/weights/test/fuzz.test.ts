import { describe, expect, it } from 'vitest';

import { fuzz, targets } from './fuzz.ts';

describe('150 damaged files', () => {
  it.each(targets)(
    'of $format give tensors or a WeightsError, and no more than 64 MiB',
    async (target) => {
      const { read, refused, largest } = await fuzz(target, 150);
      expect(read + refused).toBe(150);
      expect(refused).toBeGreaterThan(30);
      expect(largest).toBeLessThan(64 << 20);
    },
  );
});
