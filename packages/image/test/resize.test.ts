import { assert, constantFrom, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  flipHorizontal,
  Image,
  ImageError,
  resize,
  resizeShorterSide,
  transpose,
  type ResizeFilter,
} from '../src/index.ts';
import { largestDifference, noise } from './samples.ts';

const smooth = ['box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const;

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const definitions: Record<(typeof smooth)[number], [support: number, (x: number) => number]> = {
  box: [0.5, () => 1],
  bilinear: [1, (x) => 1 - Math.abs(x)],
  hamming: [1, (x) => sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))],
  bicubic: [
    2,
    (x) => {
      const d = Math.abs(x);
      return d < 1 ? 1.5 * d ** 3 - 2.5 * d ** 2 + 1 : -0.5 * d ** 3 + 2.5 * d ** 2 - 4 * d + 2;
    },
  ],
  lanczos: [3, (x) => sinc(x) * sinc(x / 3)],
};

/** By the definition: every input pixel of the row and column weighed by its distance, in one pass of doubles. */
function naive(image: Image, width: number, height: number, filter: (typeof smooth)[number]) {
  const [support, f] = definitions[filter];
  const weightsOf = (input: number, output: number, i: number): number[] => {
    const scale = input / output;
    const spread = Math.max(1, scale);
    const center = (i + 0.5) * scale;
    const weights = Array.from({ length: input }, (_, k) => {
      // Pillow takes the pixels whose index lies in the rounded window.
      const inside =
        k >= Math.trunc(center - support * spread + 0.5) &&
        k < Math.trunc(center + support * spread + 0.5);
      const x = (k + 0.5 - center) / spread;
      return inside && Math.abs(x) <= support ? f(x) : 0;
    });
    const sum = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / sum);
  };
  const { channels, data } = image;
  const result = new Float64Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const rows = weightsOf(image.height, height, y);
    for (let x = 0; x < width; x++) {
      const columns = weightsOf(image.width, width, x);
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [j, a] of rows.entries()) {
          if (a === 0) continue;
          for (const [i, b] of columns.entries()) {
            sum += a * b * data[(j * image.width + i) * channels + c]!;
          }
        }
        result[(y * width + x) * channels + c] = Math.min(255, Math.max(0, sum));
      }
    }
  }
  return result;
}

const extent = integer({ min: 1, max: 19 });

describe('resize', () => {
  it.each(['box', 'bilinear', 'hamming'] as const)(
    'by %s is the weighted mean that a double computation gives, to the rounding of two passes',
    (filter) => {
      assert(
        property(extent, extent, extent, extent, constantFrom(1, 3), (w, h, width, height, c) => {
          const image = noise(w, h, c as 1 | 3, w * 31 + h);
          const { data } = resize(image, { width, height, filter });
          expect(largestDifference(data, naive(image, width, height, filter))).toBeLessThan(1.01);
        }),
        { numRuns: 60 },
      );
    },
  );

  it.each(['bicubic', 'lanczos'] as const)(
    'by %s is so too, where the first pass is not clamped',
    (filter) => {
      assert(
        property(extent, extent, extent, extent, (w, h, width, height) => {
          // Middle greys: overshoot stays inside a byte.
          const image = noise(w, h, 3, w * 31 + h);
          image.data.forEach((value, i) => (image.data[i] = 96 + (value >> 2)));
          const { data } = resize(image, { width, height, filter });
          expect(largestDifference(data, naive(image, width, height, filter))).toBeLessThan(1.5);
        }),
        { numRuns: 60 },
      );
    },
  );

  it('leaves one colour as it is', () => {
    assert(
      property(
        constantFrom<ResizeFilter>('nearest', ...smooth),
        integer({ min: 0, max: 255 }),
        extent,
        extent,
        (filter, value, width, height) => {
          const image = new Image({ width: 11, height: 7, channels: 3 });
          image.data.fill(value);
          const { data } = resize(image, { width, height, filter });
          expect(data.every((entry) => entry === value)).toBe(true);
        },
      ),
    );
  });

  it('treats rows as it treats columns', () => {
    for (const filter of ['nearest', 'box', 'bilinear'] as const) {
      const image = noise(20, 1, 1);
      const wide = resize(image, { width: 9, height: 1, filter });
      const tall = resize(transpose(image), { width: 1, height: 9, filter });
      expect(tall.data).toEqual(wide.data);
    }
  });

  it('of a mirrored picture is the mirror of the resized one', () => {
    for (const filter of smooth.slice(1)) {
      const image = noise(21, 13, 3);
      const a = resize(flipHorizontal(image), { width: 8, height: 30, filter });
      const b = flipHorizontal(resize(image, { width: 8, height: 30, filter }));
      expect(largestDifference(a.data, b.data)).toBeLessThanOrEqual(1);
    }
  });

  it('does not let the colour of transparent pixels bleed', () => {
    const data = Uint8Array.of(255, 0, 0, 255, 0, 255, 0, 0);
    const image = new Image({ width: 2, height: 1, channels: 4, data });
    const { data: mixed } = resize(image, { width: 1, height: 1, filter: 'box' });
    expect(Array.from(mixed)).toEqual([255, 0, 0, 128]);
  });

  it('of a whole picture to its own size is a copy', () => {
    const image = noise(5, 4, 3);
    const copy = resize(image, { width: 5, height: 4 });
    expect(copy).toEqual(image);
    expect(copy.data).not.toBe(image.data);
  });

  it.each<[string, object, RegExp]>([
    ['no pixels', { width: 0, height: 4 }, /at least 1.*0x4/],
    ['half a pixel', { width: 2.5, height: 4 }, /whole numbers/],
    ['an unknown filter', { width: 2, height: 2, filter: 'cubic' }, /lanczos; not 'cubic'/],
    ["a name of Object's", { width: 2, height: 2, filter: 'toString' }, /not 'toString'/],
    ['a box outside', { width: 2, height: 2, box: [0, 0, 9, 2] }, /5x4.*\[0, 0, 9, 2\]/],
    ['an empty box', { width: 2, height: 2, box: [1, 1, 1, 2] }, /hold something/],
    ['NaN in the box', { width: 2, height: 2, box: [NaN, 0, 1, 2] }, /NaN/],
  ])('refuses %s', (_, options, message) => {
    const run = () => resize(noise(5, 4, 3), options as { width: number; height: number });
    expect(run).toThrow(ImageError);
    expect(run).toThrow(message);
  });

  it('refuses 16 bits, and says what to do', () => {
    const image = new Image({ width: 1, height: 1, channels: 1, data: Uint16Array.of(7) });
    expect(() => resize(image as unknown as Image, { width: 1, height: 1 })).toThrow(/8-bit/);
  });
});

describe('resizeShorterSide', () => {
  it("cuts the longer side's fraction off and keeps the orientation", () => {
    const sizeOf = (w: number, h: number, size: number, maxSize?: number) => {
      const { width, height } = resizeShorterSide(noise(w, h, 1), { size, maxSize });
      return [width, height];
    };
    expect(sizeOf(30, 20, 13)).toEqual([19, 13]); // 19.5
    expect(sizeOf(20, 30, 13)).toEqual([13, 19]);
    expect(sizeOf(40, 10, 20, 50)).toEqual([50, 12]); // 80x20 is too wide
  });
});
