// The formats that this package decodes itself, which need no sharp.

import { describe, expect, it } from 'vitest';

import { Image, ImageError } from '../src/index.ts';
import { decode } from '../src/node.ts';
import { bitmap, bitmapOf } from './bitmaps.ts';
import { noise, pixel } from './samples.ts';

const text = (value: string, ...bytes: number[]): Uint8Array =>
  Uint8Array.of(...new TextEncoder().encode(value), ...bytes);

const palette = [
  [1, 2, 3],
  [40, 50, 60],
  [255, 0, 9],
] as const;

async function pixelsOf(bytes: Uint8Array, options = {}): Promise<number[][]> {
  const image = await decode(bytes, options);
  return Array.from({ length: image.width * image.height }, (_, i) =>
    pixel(image, i % image.width, Math.floor(i / image.width)),
  );
}

describe('BMP', () => {
  it('of 24 bits, bottom up and top down', async () => {
    const image = noise(5, 3, 3);
    expect(await decode(bitmapOf(image))).toEqual(image);
    const rows = [
      [3, 2, 1, 6, 5, 4],
      [9, 8, 7, 12, 11, 10],
    ];
    const upright = bitmap({ width: 2, height: 2 }, rows, { bits: 24, fromTop: true });
    expect(await pixelsOf(upright)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
      [10, 11, 12],
    ]);
  });

  it.each<[string, Uint8Array]>([
    [
      '1 bit',
      bitmap({ width: 3, height: 1 }, [[0b0100_0000]], { bits: 1, palette: palette.slice(0, 2) }),
    ],
    ['4 bits', bitmap({ width: 3, height: 1 }, [[0x01, 0x00]], { bits: 4, palette })],
    ['8 bits', bitmap({ width: 3, height: 1 }, [[0, 1, 0]], { bits: 8, palette })],
    [
      '8 bits with the old header',
      bitmap({ width: 3, height: 1 }, [[0, 1, 0]], { bits: 8, palette, core: true }),
    ],
    [
      'run lengths',
      bitmap(
        { width: 3, height: 1 },
        [[1, 0, 0, 2, 1, 0, 0, 0, 0, 1]].map(() => [1, 0, 1, 1, 1, 0, 0, 0, 0, 1]),
        { bits: 8, compression: 1, palette },
      ),
    ],
    [
      'literal runs',
      bitmap({ width: 3, height: 1 }, [[0, 3, 0, 1, 0, 0, 0, 1]], {
        bits: 8,
        compression: 1,
        palette,
      }),
    ],
    [
      'run lengths of 4 bits',
      bitmap({ width: 3, height: 1 }, [[3, 0x01, 0, 1]], { bits: 4, compression: 2, palette }),
    ],
  ])('of a palette in %s', async (_, bytes) => {
    expect(await pixelsOf(bytes)).toEqual([
      [1, 2, 3],
      [40, 50, 60],
      [1, 2, 3],
    ]);
  });

  it('of run lengths begins rows anew and moves over pixels', async () => {
    // Bottom row: two of 1, end of line; then one to the right and none up, one of 2.
    const runs = [[2, 1, 0, 0, 0, 2, 1, 0, 1, 2, 0, 1]];
    const bytes = bitmap({ width: 2, height: 2 }, runs, { bits: 8, compression: 1, palette });
    expect(await pixelsOf(bytes)).toEqual([palette[0], palette[2], palette[1], palette[1]]);
  });

  it('of 16 bits stretches five bits to eight, and six where the masks say so', async () => {
    const size = { width: 3, height: 1 };
    const five = bitmap(size, [[0x00, 0x7c, 0xe0, 0x03, 0x1f, 0x00]], { bits: 16 });
    expect(await pixelsOf(five)).toEqual([
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
    ]);
    const masks = [0xf800, 0x07e0, 0x001f];
    const six = bitmap(size, [[0x20, 0x04, 0xff, 0xff, 0, 0]], { bits: 16, compression: 3, masks });
    expect(await pixelsOf(six)).toEqual([
      [0, Math.round((33 * 255) / 63), 0],
      [255, 255, 255],
      [0, 0, 0],
    ]);
  });

  it('of 32 bits has alpha where a mask declares it, and none elsewhere', async () => {
    const size = { width: 1, height: 1 };
    const row = [[3, 2, 1, 128]];
    expect(await pixelsOf(bitmap(size, row, { bits: 32 }), { alpha: 'keep' })).toEqual([[1, 2, 3]]);
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const bytes = bitmap(size, row, { bits: 32, compression: 3, masks });
    expect(await pixelsOf(bytes, { alpha: 'keep' })).toEqual([[1, 2, 3, 128]]);
    expect(await pixelsOf(bytes, { background: [0, 0, 0] })).toEqual([[1, 1, 2]]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['cut off', bitmapOf(noise(5, 5, 3)).subarray(0, 100), /its pixels are cut off/],
    ['cut off in its header', bitmapOf(noise(5, 5, 3)).subarray(0, 30), /header is cut off/],
    ['of 7 bits', bitmap({ width: 1, height: 1 }, [[0]], { bits: 7 as 8 }), /7 bits a pixel/],
    [
      'with JPEG inside',
      bitmap({ width: 1, height: 1 }, [[0]], { bits: 24, compression: 4 }),
      /save it as PNG/,
    ],
  ])('%s is an ImageError', async (_, bytes, message) => {
    const failure = decode(bytes, { name: 'odd.bmp' });
    await expect(failure).rejects.toThrow(ImageError);
    await expect(failure).rejects.toThrow(/^odd\.bmp: /);
    await expect(failure).rejects.toThrow(message);
  });
});

describe('PNM', () => {
  it.each<[string, Uint8Array, number[][]]>([
    ['P1', text('P1\n# bits\n3 1\n01 0'), [[255], [0], [255]]],
    ['P2', text('P2 3 1 15 0 3\n15'), [[0], [51], [255]]],
    ['P3', text('P3 1 1 255 7 8 9'), [[7, 8, 9]]],
    ['P4', text('P4 3 1\n', 0b0100_0000), [[255], [0], [255]]],
    ['P5', text('P5 2 1 255\n', 9, 200), [[9], [200]]],
    ['P5 of 16 bits', text('P5 2 1 65535\n', 9, 1, 200, 255), [[9], [200]]],
    [
      'P6',
      text('P6\n#comment\n1 2\n255\n', 1, 2, 3, 4, 5, 6),
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
  ])('%s is read', async (_, bytes, expected) => {
    expect(await pixelsOf(bytes)).toEqual(expected);
  });

  it('of 16 bits keeps them where asked; of 8 bits is times 257', async () => {
    const deep = await decode(text('P5 2 1 65535\n', 1, 2, 255, 255), { depth: 16 });
    expect(deep).toEqual(
      new Image({ width: 2, height: 1, channels: 1, data: Uint16Array.of(258, 65_535) }),
    );
    const shallow = await decode(text('P5 1 1 255\n', 200), { depth: 16 });
    expect(Array.from(shallow.data)).toEqual([51_400]);
  });

  it.each([
    ['cut off', text('P6 2 2 255\n', 1, 2, 3)],
    ['cut off in its numbers', text('P3 2 2 255 1 2 3')],
    ['cut off in its header', text('P6 2')],
    ['of no size', text('P5 0 2 255\n')],
    ['of a largest value of 0', text('P5 1 1 0\n', 1)],
  ])('%s is an ImageError', async (_, bytes) => {
    await expect(decode(bytes)).rejects.toThrow(ImageError);
  });

  it('is not decoded where its text promises more than the file can hold', async () => {
    const bytes = text('P3 9000 9000 255 1 2 3');
    await expect(decode(bytes)).rejects.toThrow(/cut off/);
  });
});
