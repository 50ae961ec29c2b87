import { assert, constantFrom, double, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  autocontrast,
  brightness,
  compositeAlpha,
  contrast,
  equalize,
  gamma,
  gaussianBlur,
  gaussianBlurPlanes,
  grayscale,
  hsvToRgb,
  hue,
  huePlanes,
  Image,
  ImageError,
  invert,
  posterize,
  rgbToHsv,
  rgbToYcbcr,
  saturation,
  sharpness,
  solarize,
  toBytes,
  toPlanes,
  toRgb,
  ycbcrToRgb,
} from '../src/index.ts';
import { largestDifference, noise, pixel } from './samples.ts';

const factors = { brightness, contrast, saturation, sharpness };

describe.each(Object.entries(factors))('%s', (_, adjust) => {
  it('by 1 changes nothing, and is monotonic in the factor', () => {
    const image = noise(9, 8, 3);
    expect(adjust(image, 1)).toEqual(image);
    const less = adjust(image, 0.3);
    const more = adjust(image, 0.6);
    // Every value moves from the degenerate picture's towards its own.
    const base = adjust(image, 0);
    for (let i = 0; i < image.data.length; i++) {
      const span = (value: number): number => Math.abs(value - base.data[i]!);
      expect(span(less.data[i]!)).toBeLessThanOrEqual(span(more.data[i]!));
    }
  });

  it('leaves alpha alone', () => {
    const image = noise(6, 5, 4);
    const { data } = adjust(image, 1.8);
    for (let i = 3; i < data.length; i += 4) expect(data[i]).toBe(image.data[i]);
  });

  it('refuses factors below 0 and NaN', () => {
    expect(() => adjust(noise(3, 3, 3), -0.1)).toThrow(ImageError);
    expect(() => adjust(noise(3, 3, 3), NaN)).toThrow(/at least 0, not NaN/);
  });
});

describe('grey', () => {
  it('is within rounding of 0.299 R + 0.587 G + 0.114 B, of 8 bits and of 16', () => {
    const image = noise(16, 16, 3);
    const deep = new Image({
      ...image,
      data: Uint16Array.from(image.data, (value) => value * 257),
    });
    const grey = grayscale(image);
    const deepGrey = grayscale(deep);
    for (let i = 0; i < grey.data.length; i++) {
      const [red, green, blue] = pixel(image, i % 16, Math.floor(i / 16)) as [
        number,
        number,
        number,
      ];
      const expected = 0.299 * red + 0.587 * green + 0.114 * blue;
      expect(Math.abs(grey.data[i]! - expected)).toBeLessThan(0.51);
      expect(Math.abs(deepGrey.data[i]! - expected * 257)).toBeLessThan(1);
    }
    expect(toBytes(deep)).toEqual(image);
  });

  it('as RGB has three equal channels', () => {
    const grey = noise(5, 4, 1);
    expect(pixel(toRgb(grey), 3, 2)).toEqual(Array(3).fill(pixel(grey, 3, 2)[0]));
    expect(grayscale(toRgb(grey))).toEqual(grey);
  });
});

describe('colour spaces', () => {
  it('HSV of primary colours is exact, and back', () => {
    const data = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0);
    const image = new Image({ width: 5, height: 1, channels: 3, data });
    const hsv = rgbToHsv(image);
    expect(Array.from(hsv.data)).toEqual([
      0, 255, 255, 85, 255, 255, 170, 255, 255, 0, 0, 255, 0, 0, 0,
    ]);
    expect(hsvToRgb(hsv)).toEqual(image);
  });

  it('YCbCr is within a level of the definition, and back within two', () => {
    const image = noise(40, 40, 3);
    const ycbcr = rgbToYcbcr(image);
    for (let i = 0; i < image.data.length; i += 3) {
      const [r, g, b] = image.data.subarray(i, i + 3) as unknown as [number, number, number];
      const y = 0.299 * r + 0.587 * g + 0.114 * b;
      const expected = [y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128];
      for (const c of [0, 1, 2]) {
        const value = Math.min(255, expected[c]!);
        expect(Math.abs(ycbcr.data[i + c]! - value)).toBeLessThan(1.02);
      }
    }
    expect(largestDifference(ycbcrToRgb(ycbcr).data, image.data)).toBeLessThanOrEqual(3);
  });

  it('a whole turn of the hue, and none, change nothing on floats', () => {
    const planes = toPlanes(noise(8, 8, 3));
    for (const turns of [0, 1, -1]) {
      expect(largestDifference(huePlanes(planes, turns).data, planes.data)).toBeLessThan(1e-6);
    }
    expect(() => huePlanes(toPlanes(noise(2, 2, 1)), 0.1)).toThrow(/three planes/);
  });

  it('the hue moves colours, and leaves grey and alpha', () => {
    const red = new Image({ width: 1, height: 1, channels: 4, data: Uint8Array.of(255, 0, 0, 77) });
    const [r, g, b, alpha] = pixel(hue(red, 1 / 3), 0, 0) as [number, number, number, number];
    expect([r < 10, g, b, alpha]).toEqual([true, 255, 0, 77]);
    const grey = noise(4, 4, 1);
    expect(hue(grey, 0.3)).toEqual(grey);
  });
});

describe('tones', () => {
  it('inverting twice gives the picture', () => {
    const image = noise(6, 6, 4);
    expect(invert(invert(image))).toEqual(image);
  });

  it('posterising keeps high bits, solarising inverts from the threshold on', () => {
    const image = noise(16, 16, 1);
    assert(
      property(integer({ min: 0, max: 8 }), integer({ min: 0, max: 256 }), (bits, threshold) => {
        const step = 2 ** (8 - bits);
        expect(Array.from(posterize(image, bits).data)).toEqual(
          Array.from(image.data, (value) => Math.floor(value / step) * step),
        );
        expect(Array.from(solarize(image, threshold).data)).toEqual(
          Array.from(image.data, (value) => (value < threshold ? value : 255 - value)),
        );
      }),
    );
    expect(() => posterize(image, 9)).toThrow(/0 to 8 bits/);
  });

  it('gamma 1 changes nothing; gamma and its inverse nearly so', () => {
    const image = noise(9, 9, 3);
    expect(gamma(image, { gamma: 1 })).toEqual(image);
    const there = gamma(image, { gamma: 0.5 });
    expect(largestDifference(gamma(there, { gamma: 2 }).data, image.data)).toBeLessThan(3);
    expect(() => gamma(image, { gamma: -1 })).toThrow(ImageError);
  });

  it('autocontrast reaches both ends in each channel', () => {
    const image = noise(9, 9, 3);
    image.data.forEach((value, i) => (image.data[i] = 60 + (value >> 1)));
    const { data } = autocontrast(image);
    for (const c of [0, 1, 2]) {
      const values = Array.from(data).filter((_, i) => i % 3 === c);
      expect([Math.min(...values), Math.max(...values)]).toEqual([0, 255]);
    }
    expect(() => autocontrast(image, { cutoff: 50 })).toThrow(/0 to 50/);
  });

  it('equalising makes the quarters of the range equally full', () => {
    const image = noise(64, 64, 1);
    image.data.forEach((value, i) => (image.data[i] = (value * value) / 400));
    const counts = [0, 0, 0, 0];
    for (const value of equalize(image).data) counts[value >> 6]!++;
    for (const count of counts) expect(Math.abs(count / 1024 - 1)).toBeLessThan(0.1);
  });

  it('equalising or stretching one colour changes nothing', () => {
    const image = new Image({ width: 3, height: 3, channels: 1 });
    image.data.fill(77);
    expect(equalize(image)).toEqual(image);
    expect(autocontrast(image)).toEqual(image);
  });
});

describe('compositeAlpha', () => {
  it('is the mean weighed by alpha, within rounding', () => {
    const image = noise(16, 16, 4);
    const background = [10, 200, 30] as const;
    const { data } = compositeAlpha(image, { background });
    for (let i = 0; i < data.length; i++) {
      const at = Math.floor(i / 3) * 4;
      const alpha = image.data[at + 3]! / 255;
      const expected = image.data[at + (i % 3)]! * alpha + background[i % 3]! * (1 - alpha);
      expect(Math.abs(data[i]! - expected)).toBeLessThan(0.51);
    }
  });

  it('gives opaque pictures back, and refuses odd backgrounds', () => {
    const image = noise(3, 3, 3);
    expect(compositeAlpha(image)).toBe(image);
    const background = [0, 0, 256] as const;
    expect(() => compositeAlpha(noise(3, 3, 4), { background })).toThrow(/0 to 255/);
  });
});

describe('Gaussian blur', () => {
  it('leaves one colour as it is and never widens the range', () => {
    assert(
      property(
        constantFrom(1, 3, 5, 7),
        double({ min: 0.1, max: 9, noNaN: true }),
        (kernelSize, sigma) => {
          const planes = toPlanes(noise(8, 9, 3));
          const { data } = gaussianBlurPlanes(planes, { kernelSize, sigma });
          expect(Math.max(...data)).toBeLessThanOrEqual(Math.max(...planes.data) + 1e-6);
          expect(Math.min(...data)).toBeGreaterThanOrEqual(Math.min(...planes.data) - 1e-6);
          const flat = new Image({ width: 8, height: 9, channels: 1 });
          flat.data.fill(200);
          expect(gaussianBlur(flat, { kernelSize, sigma })).toEqual(flat);
        },
      ),
    );
  });

  it('refuses even kernels, sigma 0, and kernels wider than the picture', () => {
    const image = noise(3, 9, 1);
    expect(() => gaussianBlur(image, { kernelSize: 4 })).toThrow(/odd/);
    expect(() => gaussianBlur(image, { kernelSize: 3, sigma: 0 })).toThrow(/above 0/);
    expect(() => gaussianBlur(image, { kernelSize: 7 })).toThrow(/more than 3 pixels/);
  });
});
