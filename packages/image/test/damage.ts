// Files damaged by a seed, and what decoding them may come to.

import sharp, { type Sharp } from 'sharp';
import { expect } from 'vitest';

import { Image, ImageError } from '../src/index.ts';
import { decode, encode } from '../src/node.ts';
import { bitmap, bitmapOf } from './bitmaps.ts';
import { randomOf, scene } from './samples.ts';

export const FORMATS = [
  'jpeg',
  'jpegCmyk',
  'png',
  'png16',
  'webp',
  'gif',
  'bmp',
  'bmpRuns',
  'ppm',
  'pgmText',
] as const;
export type DamagedFormat = (typeof FORMATS)[number];

/** For what `encode` does not write. */
const raw = ({ width, height, channels, data }: Image): Sharp =>
  sharp(data, { raw: { width, height, channels } });

/** A file of the format, undamaged. */
export async function sound(format: DamagedFormat): Promise<Uint8Array> {
  const image = scene(40, 30, 3);
  switch (format) {
    case 'jpeg':
    case 'png':
    case 'webp':
      return encode(image, { format });
    case 'png16': {
      const data = Uint16Array.from(image.data, (value) => value * 257);
      return encode(new Image({ ...image, data }), { format: 'png' });
    }
    case 'gif':
      return raw(image).gif().toBuffer();
    case 'jpegCmyk':
      return raw(image).toColourspace('cmyk').jpeg().toBuffer();
    case 'bmp':
      return bitmapOf(image);
    case 'bmpRuns': {
      const runs = Array.from({ length: 30 }, (_, y) => [
        20,
        y,
        0,
        5,
        1,
        2,
        3,
        4,
        5,
        0,
        9,
        7,
        0,
        0,
      ]);
      const palette = Array.from({ length: 200 }, (_, i) => [i, 255 - i, 7] as const);
      return bitmap(image, [...runs, [0, 1]], { bits: 8, compression: 1, palette });
    }
    case 'ppm':
      return Uint8Array.of(...new TextEncoder().encode('P6\n40 30\n255\n'), ...image.data);
    case 'pgmText':
      return new TextEncoder().encode(`P2 40 30 255 ${image.data.subarray(0, 1200).join(' ')}`);
  }
}

/** One to eight changes: bits, bytes, numbers of the header, parts cut out, doubled or set to one value, the end cut off. */
function damage(bytes: Uint8Array, random: () => number): Uint8Array {
  let result = bytes.slice();
  const below = (count: number): number => Math.floor(random() * count);
  for (let change = 1 + below(8); change > 0 && result.length > 4; change--) {
    const at = below(random() < 0.5 ? Math.min(64, result.length) : result.length);
    const length = 1 + below(16);
    switch (below(7)) {
      case 0:
        result[at]! ^= 1 << below(8);
        break;
      case 1:
        result[at] = below(256);
        break;
      case 2:
        result.fill([0, 255, 127, 128][below(4)]!, at, at + length);
        break;
      case 3:
        result = result.slice(0, 4 + below(result.length - 4));
        break;
      case 4:
        result = Uint8Array.of(...result.subarray(0, at), ...result.subarray(at + length));
        break;
      case 5:
        result = Uint8Array.of(...result.subarray(0, at + length), ...result.subarray(at));
        break;
      default:
        if (at + 4 <= result.length) {
          const value = [0, 1, 2 ** 31 - 1, 2 ** 32 - 1, 65_535, 100_000][below(6)]!;
          new DataView(result.buffer).setUint32(at, value, random() < 0.5);
        }
    }
  }
  return result;
}

/** Decodes `count` damaged files of a format. Returns how many were refused. */
export async function decodeDamaged(format: DamagedFormat, count: number): Promise<number> {
  const bytes = Uint8Array.from(await sound(format));
  const image = await decode(bytes);
  expect(image.width * image.height).toBeGreaterThan(0);
  const random = randomOf(format.length * 1000 + count);
  // A header may promise anything; this keeps what is allowed to be allocated small.
  const maxPixels = 1_000_000;
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const damaged = damage(bytes, random);
    try {
      const { width, height, channels, data } = await decode(damaged, { maxPixels });
      if (width * height > maxPixels || data.length !== width * height * channels) {
        expect.unreachable(`${format} ${i}: ${width}x${height} with ${data.length} values`);
      }
    } catch (error) {
      if (!(error instanceof ImageError)) throw new Error(`${format} ${i}`, { cause: error });
      refused++;
    }
  }
  return refused;
}
