import { expect, it } from 'vitest';

import { decode } from '../src/node.ts';
import { decodeDamaged, FORMATS, sound } from './damage.ts';

it.each(FORMATS)(
  '100 damaged %s files are refused by an ImageError, or decoded',
  async (format) => {
    expect(await decodeDamaged(format, 100)).toBeGreaterThan(10);
  },
);

// Run lengths may leave pixels out, and a number without its last digit is a number.
const ended = FORMATS.filter((format) => format !== 'bmpRuns' && format !== 'pgmText');

it.each(ended)('a %s file without its last byte is cut off', async (format) => {
  const bytes = await sound(format);
  await decode(bytes);
  const message = expect.stringMatching(/^the picture: .*(?:cut off|damaged)/);
  const error = { name: 'ImageError', code: 'format', message };
  await expect(decode(bytes.subarray(0, -1))).rejects.toMatchObject(error);
});

it.each(['png', 'jpeg', 'webp', 'gif'] as const)(
  'bytes after the end of a %s file do no harm',
  async (format) => {
    const bytes = await sound(format);
    expect(await decode(Uint8Array.of(...bytes, 1, 2, 3))).toEqual(await decode(bytes));
  },
);
