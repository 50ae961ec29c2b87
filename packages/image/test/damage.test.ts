import { expect, it } from 'vitest';

import { decodeDamaged, FORMATS } from './damage.ts';

it.each(FORMATS)(
  '100 damaged %s files are refused by an ImageError, or decoded',
  async (format) => {
    expect(await decodeDamaged(format, 100)).toBeGreaterThan(10);
  },
);
