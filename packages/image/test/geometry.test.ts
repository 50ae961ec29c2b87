import { assert, constantFrom, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  affine,
  affineMatrix,
  centerCrop,
  crop,
  fiveCrop,
  flipHorizontal,
  flipVertical,
  Image,
  ImageError,
  pad,
  rotate,
  rotateQuarters,
  tenCrop,
  transpose,
} from '../src/index.ts';
import { noise, pixel } from './samples.ts';

describe('Image', () => {
  it.each<[string, object, RegExp]>([
    ['no width', { width: 0, height: 1, channels: 1 }, /at least 1/],
    ['two channels', { width: 1, height: 1, channels: 2 }, /1, 3 or 4 channels, not 2/],
    [
      'too few values',
      { width: 2, height: 2, channels: 3, data: new Uint8Array(4) },
      /2x2 with 3 channels has 12 values, not 4/,
    ],
    [
      'floats',
      { width: 1, height: 1, channels: 1, data: new Float32Array(1) },
      /Uint8Array or a Uint16Array/,
    ],
  ])('refuses %s', (_, init, message) => {
    expect(() => new Image(init as Image)).toThrow(ImageError);
    expect(() => new Image(init as Image)).toThrow(message);
  });

  it("throws errors that carry the mark of Convoke's", () => {
    const error = new ImageError('argument', 'odd');
    expect(error).toMatchObject({ code: 'argument', [Symbol.for('convoke.error')]: true });
  });
});

describe('flips and quarter turns', () => {
  it('move pixels where they belong', () => {
    const image = noise(4, 3, 3);
    assert(
      property(integer({ min: 0, max: 3 }), integer({ min: 0, max: 2 }), (x, y) => {
        const value = pixel(image, x, y);
        expect(pixel(flipHorizontal(image), 3 - x, y)).toEqual(value);
        expect(pixel(flipVertical(image), x, 2 - y)).toEqual(value);
        expect(pixel(transpose(image), y, x)).toEqual(value);
        expect(pixel(rotateQuarters(image, 1), y, 3 - x)).toEqual(value);
        expect(pixel(rotateQuarters(image, 2), 3 - x, 2 - y)).toEqual(value);
        expect(pixel(rotateQuarters(image, -1), 2 - y, x)).toEqual(value);
      }),
    );
  });

  it.each([0.5, Number.NaN, Infinity, undefined])('of %s quarters are refused', (turns) => {
    const failing = (): unknown => rotateQuarters(noise(2, 2, 1), turns!);
    expect(failing).toThrow(ImageError);
    expect(failing).toThrow(`whole number of turns by 90 degrees, not ${turns}`);
  });

  it('keep 16 bits', () => {
    const data = Uint16Array.of(1, 1000, 65_535);
    const image = new Image({ width: 3, height: 1, channels: 1, data });
    expect(Array.from(flipHorizontal(image).data)).toEqual([65_535, 1000, 1]);
  });
});

describe('crop', () => {
  it('gives the pixels of the part', () => {
    const image = noise(7, 6, 4);
    const part = crop(image, { left: 2, top: 1, width: 3, height: 4 });
    expect([part.width, part.height, part.channels]).toEqual([3, 4, 4]);
    expect(pixel(part, 0, 0)).toEqual(pixel(image, 2, 1));
    expect(pixel(part, 2, 3)).toEqual(pixel(image, 4, 4));
  });

  it.each([
    { left: 5, top: 0, width: 3, height: 1 },
    { left: -1, top: 0, width: 3, height: 1 },
    { left: 0.5, top: 0, width: 3, height: 1 },
  ])('refuses %o of 7x6', (options) => {
    expect(() => crop(noise(7, 6, 3), options)).toThrow(ImageError);
  });

  it('into corners and middle is a crop each; mirrored ones follow', () => {
    const image = noise(9, 8, 3);
    const size = { width: 4, height: 3 };
    const five = fiveCrop(image, size);
    expect(five[3]).toEqual(crop(image, { left: 5, top: 5, ...size }));
    expect(five[4]).toEqual(centerCrop(image, size));
    expect(tenCrop(image, size).slice(5)).toEqual(fiveCrop(flipHorizontal(image), size));
    const vertical = tenCrop(image, { ...size, vertical: true });
    expect(vertical.slice(5)).toEqual(fiveCrop(flipVertical(image), size));
    expect(() => fiveCrop(image, { width: 10, height: 3 })).toThrow(ImageError);
  });
});

describe('pad', () => {
  it.each<['constant' | 'edge' | 'reflect', number[]]>([
    ['constant', [9, 9, 1, 2, 3, 9]],
    ['edge', [1, 1, 1, 2, 3, 3]],
    ['reflect', [3, 2, 1, 2, 3, 2]],
  ])('by %s', (mode, expected) => {
    const image = new Image({ width: 3, height: 1, channels: 1, data: Uint8Array.of(1, 2, 3) });
    expect(Array.from(pad(image, { left: 2, right: 1, mode, fill: 9 }).data)).toEqual(expected);
  });

  it('and crop undo each other', () => {
    assert(
      property(
        constantFrom('constant', 'edge', 'reflect'),
        integer({ min: 0, max: 4 }),
        integer({ min: 0, max: 4 }),
        (mode, left, top) => {
          const image = noise(6, 5, 3);
          const padded = pad(image, { all: 2, left, top, mode: mode as 'edge' });
          expect(crop(padded, { left, top, width: 6, height: 5 })).toEqual(image);
        },
      ),
    );
  });

  it('refuses what it cannot do', () => {
    const image = noise(3, 3, 3);
    expect(() => pad(image, { left: 3, mode: 'reflect' })).toThrow(/left and right may be 2/);
    expect(() => pad(image, { top: -1 })).toThrow(/top must be a whole number/);
    expect(() => pad(image, { all: 1, fill: [1, 2] })).toThrow(/3 of them/);
    expect(() => pad(image, { all: 1, mode: 'wrap' as 'edge' })).toThrow(/not 'wrap'/);
  });
});

describe('rotate and affine', () => {
  it('by the identity change nothing', () => {
    const image = noise(8, 5, 3);
    const matrix = affineMatrix({ width: 8, height: 5 });
    for (const filter of ['nearest', 'bilinear', 'bicubic'] as const) {
      expect(affine(image, { matrix, filter })).toEqual(image);
    }
    expect(rotate(image, { degrees: 720 })).toEqual(image);
  });

  it('by a translation shift whole pixels and fill what comes in', () => {
    const image = noise(6, 4, 3);
    const matrix = affineMatrix({ width: 6, height: 4, translate: [2, 1] });
    for (const filter of ['nearest', 'bilinear', 'bicubic'] as const) {
      const moved = affine(image, { matrix, filter, fill: [1, 2, 3] });
      expect(pixel(moved, 2, 1)).toEqual(pixel(image, 0, 0));
      expect(pixel(moved, 5, 3)).toEqual(pixel(image, 3, 2));
      expect(pixel(moved, 1, 3)).toEqual([1, 2, 3]);
    }
  });

  it('by quarters on a square agree with the exact turns', () => {
    const image = noise(7, 7, 3);
    for (const turns of [1, 2, 3]) {
      const turned = rotate(image, { degrees: 90 * turns });
      expect(turned).toEqual(rotateQuarters(image, turns));
      // The same through the sampling loop.
      const radians = (-90 * turns * Math.PI) / 180;
      const [cos, sin] = [Math.round(Math.cos(radians)), Math.round(Math.sin(radians))];
      const c = 3.5 - cos * 3.5 - sin * 3.5;
      const f = 3.5 + sin * 3.5 - cos * 3.5;
      expect(affine(image, { matrix: [cos, sin, c, -sin, cos, f] })).toEqual(turned);
    }
  });

  it("a shear of one number is along x: rows shift, the middle one's does not", () => {
    const image = noise(9, 9, 1);
    const matrix = affineMatrix({ width: 9, height: 9, shear: 45 });
    const sheared = affine(image, { matrix });
    expect(pixel(sheared, 4, 4)).toEqual(pixel(image, 4, 4));
    const [, , , d, e, f] = matrix;
    expect([d, e, f].map((value) => Math.round(value * 1e9) / 1e9 + 0)).toEqual([0, 1, 0]);
    expect(Math.abs(matrix[1])).toBeCloseTo(1);
  });

  it('refuse what they cannot do', () => {
    const image = noise(3, 3, 3);
    expect(() => affine(noise(2, 2, 1), {} as { matrix: never })).toThrow(
      /six numbers, not undefined/,
    );
    expect(() => affine(image, { matrix: [1, 0, 0, 0, NaN, 0] })).toThrow(/six numbers/);
    expect(() => affine(image, { matrix: [1, 0, 0, 0, 1, 0], filter: 'box' as 'nearest' })).toThrow(
      /not 'box'/,
    );
    expect(() => rotate(image, { degrees: Infinity })).toThrow(/finite/);
    expect(() => affineMatrix({ width: 3, height: 3, scale: 0 })).toThrow(/scale is above 0/);
  });
});
