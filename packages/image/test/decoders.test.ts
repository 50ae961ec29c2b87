// Files of many kinds against what Pillow decodes of them; both lie in the shared material.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import {
  flipHorizontal,
  flipVertical,
  Image,
  rotateQuarters,
  toRgb,
  type Channels,
} from '../src/index.ts';
import { decode } from '../src/node.ts';
import { sharedFolder } from './samples.ts';

const folder = sharedFolder('data/decoders');
const files = folder ? readdirSync(folder).filter((name) => /\.(?!json)\w+$/.test(name)) : [];
const damaged = ['badcrc.png', 'truncated.jpg', 'truncated.png'];
const withReference = files.filter((name) => name !== 'gray16.png' && !damaged.includes(name));
/** Lossy formats may differ by a level on average; others not at all. */
const lossy = /\.jpg$|lossy\.webp$|alpha\.webp$/;

describe.skipIf(folder === null)('shared files', () => {
  it('are there in their number', () => {
    expect(withReference.length).toBe(36);
  });

  it.each(withReference)('%s decodes as in Pillow', async (name) => {
    const options = { alpha: 'keep', channels: 3, orient: false } as const;
    const image = await decode(join(folder!, name), options);
    const reference = await decode(join(folder!, `ref/${name}.png`), options);
    expect({ ...image, data: null }).toEqual({ ...reference, data: null });
    const total = image.data.reduce((sum, v, i) => sum + Math.abs(v - reference.data[i]!), 0);
    expect(total / image.data.length).toBeLessThanOrEqual(lossy.test(name) ? 1 : 0);
  });

  it.each(damaged)('%s is an ImageError that names it', async (name) => {
    const path = join(folder!, name);
    await expect(decode(path)).rejects.toMatchObject({
      name: 'ImageError',
      code: 'format',
      message: expect.stringContaining(path),
    });
  });

  it('with any EXIF orientation look alike once it is applied', async () => {
    const [first, ...others] = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((k) => decode(join(folder!, `exif-orientation-${k}.jpg`))),
    );
    const meanDifference = ({ data }: Image): number =>
      data.reduce((sum, value, i) => sum + Math.abs(value - first!.data[i]!), 0) / data.length;
    for (const image of others) {
      expect([image.width, image.height]).toEqual([60, 40]);
      // Each was compressed anew after turning.
      const difference = meanDifference(image);
      expect(difference).toBeLessThan(6);
      for (const wrong of [flipHorizontal(image), flipVertical(image), rotateQuarters(image, 2)]) {
        expect(meanDifference(wrong)).toBeGreaterThan(3 * difference);
      }
    }
  });

  it('of 16 bits keep them: their high bytes are what 8 bits give', async () => {
    for (const [name, channels] of [
      ['gray16.png', 1],
      ['rgb16.png', 3],
    ] as [string, Channels][]) {
      const path = join(folder!, name);
      const deep = await decode(path, { depth: 16 });
      expect(deep.channels).toBe(channels);
      expect(new Set(deep.data.map((value) => value & 255)).size).toBeGreaterThan(1);
      const data = Uint8Array.from(deep.data, (value) => value >> 8);
      expect(await decode(path)).toEqual(new Image({ ...deep, data }));
    }
    const grey = await decode(join(folder!, 'gray16.png'));
    const eight = await decode(join(folder!, 'gray8.png'));
    expect(toRgb(grey).width).toBe(eight.width);
  });
});
