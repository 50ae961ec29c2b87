// Damage on a larger scale, with an eye on memory: nothing may pile up over thousands of files.

import { expect, it } from 'vitest';

import { decodeDamaged, FORMATS } from '../test/damage.ts';

it.each(FORMATS)(
  '3,000 damaged %s files are refused by an ImageError, or decoded',
  async (format) => {
    await decodeDamaged(format, 50);
    const before = process.memoryUsage().rss;
    expect(await decodeDamaged(format, 3000)).toBeGreaterThan(300);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  },
);
