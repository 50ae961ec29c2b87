import { describe, expect, it } from 'vitest';

import {
  applyPreprocess,
  fromBatch,
  fromPlanes,
  Image,
  ImageError,
  imagenetPreprocess,
  preprocessedSize,
  resize,
  signedPreprocess,
  toBatch,
  toPlanes,
  type Preprocess,
} from '../src/index.ts';
import { noise, pixel } from './samples.ts';

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];

describe('toPlanes', () => {
  it('is (value / 255 - mean) / std, a plane a channel', () => {
    const image = noise(5, 4, 3);
    const { data, channels, height, width } = toPlanes(image, { mean, std });
    expect([channels, height, width]).toEqual([3, 4, 5]);
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < 20; i++) {
        const value = pixel(image, i % 5, Math.floor(i / 5))[c]!;
        expect(data[c * 20 + i]).toBeCloseTo((value / 255 - mean[c]!) / std[c]!, 5);
      }
    }
  });

  it('in BGR takes mean and std in that order, and keeps alpha last', () => {
    const data = Uint8Array.of(10, 20, 30, 40);
    const image = new Image({ width: 1, height: 1, channels: 4, data });
    const planes = toPlanes(image, { order: 'BGR', scale: 1, mean: [1, 2, 3, 4] });
    expect(Array.from(planes.data)).toEqual([29, 18, 7, 36]);
  });

  it('scales 16 bits to [0, 1] too', () => {
    const data = Uint16Array.of(0, 65_535);
    const image = new Image({ width: 2, height: 1, channels: 1, data });
    expect(Array.from(toPlanes(image).data)).toEqual([0, 1]);
  });

  it.each<[string, object, RegExp]>([
    ['two means for three channels', { mean: [1, 2] }, /mean is a finite number a channel, 3 here/],
    ['a deviation of 0', { std: [1, 0, 1] }, /other than 0/],
    ['a scale that is no number', { scale: NaN }, /other than 0/],
    ['another order', { order: 'RBG' }, /not 'RBG'/],
  ])('refuses %s', (_, options, message) => {
    expect(() => toPlanes(noise(2, 2, 3), options)).toThrow(ImageError);
    expect(() => toPlanes(noise(2, 2, 3), options)).toThrow(message);
  });
});

describe('fromPlanes', () => {
  it.each([{}, { mean, std }, { order: 'BGR', mean, std }, { scale: 1 / 127.5, mean: [1, 1, 1] }])(
    'undoes toPlanes with %o',
    (options) => {
      const image = noise(7, 5, 3);
      const same = options as { order?: 'BGR' };
      expect(fromPlanes(toPlanes(image, same), same)).toEqual(image);
    },
  );

  it('clamps what lies outside', () => {
    const data = Float32Array.of(-1, 0.5, 2);
    const image = fromPlanes({ data, channels: 1, height: 1, width: 3 });
    expect(Array.from(image.data)).toEqual([0, 128, 255]);
  });

  it('refuses planes that make no picture', () => {
    const data = new Float32Array(4);
    expect(() => fromPlanes({ data, channels: 2, height: 1, width: 2 })).toThrow(/not 2/);
    expect(() => fromPlanes({ data, channels: 1, height: 1, width: 2 })).toThrow(/2 values, not 4/);
  });
});

describe('batches', () => {
  it('hold pictures one after the other, and give them back', () => {
    const images = [noise(4, 3, 3, 1), noise(4, 3, 3, 2)];
    const batch = toBatch(images, { mean, std });
    expect(batch.shape).toEqual([2, 3, 3, 4]);
    expect(batch.data.subarray(36)).toEqual(toPlanes(images[1]!, { mean, std }).data);
    expect(fromBatch(batch, { mean, std })).toEqual(images);
  });

  it('refuse pictures of different sizes by their number, and none at all', () => {
    expect(() => toBatch([noise(4, 3, 3), noise(3, 4, 3)])).toThrow(/picture 1 is 3x4/);
    expect(() => toBatch([])).toThrow(/at least one/);
  });
});

describe('applyPreprocess', () => {
  it("by torchvision's description gives the middle of the resized picture, normalised", () => {
    const image = noise(60, 40, 3);
    const { data, shape } = applyPreprocess(image, imagenetPreprocess({ resize: 32, crop: 28 }));
    expect(shape).toEqual([1, 3, 28, 28]);
    // 48x32 by then; the part begins at (10, 2).
    const resized = resize(image, { width: 48, height: 32 });
    const [red] = pixel(resized, 10, 2);
    expect(data[0]).toBeCloseTo((red! / 255 - mean[0]!) / std[0]!, 5);
  });

  it('by the signed description is x / 127.5 - 1 of the whole picture', () => {
    const image = noise(8, 6, 3);
    const { data, shape } = applyPreprocess(image, signedPreprocess({ width: 8, height: 6 }));
    expect(shape).toEqual([1, 3, 6, 8]);
    expect(data[0]).toBeCloseTo(image.data[0]! / 127.5 - 1, 6);
  });

  it('turns grey into RGB, RGB into grey, and lays transparent pictures over white', () => {
    expect(applyPreprocess(noise(4, 4, 1), {}).shape).toEqual([1, 3, 4, 4]);
    const grey: Preprocess = { channels: 'gray', pad: 2 };
    expect(applyPreprocess(noise(4, 4, 3), grey).shape).toEqual([1, 1, 8, 8]);
    const clear = new Image({ width: 1, height: 1, channels: 4 });
    expect(Array.from(applyPreprocess(clear, {}).data)).toEqual([1, 1, 1]);
  });

  it('takes several pictures of different sizes where the description makes them one', () => {
    const pictures = [noise(50, 40, 3), noise(40, 70, 1)];
    const preprocess = imagenetPreprocess({ resize: 32, crop: 30 });
    expect(applyPreprocess(pictures, preprocess).shape).toEqual([2, 3, 30, 30]);
    expect(() => applyPreprocess(pictures, { resize: { shorterSide: 32 } })).toThrow(/one size/);
  });

  it('gives what preprocessedSize says, from JSON as well', () => {
    for (const preprocess of [
      imagenetPreprocess({ resize: 24, crop: 20 }),
      signedPreprocess({ width: 9, height: 7 }),
      { channels: 'gray', resize: { shorterSide: 15, filter: 'lanczos' }, pad: 1 },
      {},
    ] as const) {
      const image = noise(31, 22, 3);
      const copy = JSON.parse(JSON.stringify(preprocess)) as Preprocess;
      const { shape } = applyPreprocess(image, copy);
      const { channels, height, width } = preprocessedSize(preprocess, image);
      expect(shape).toEqual([1, channels, height, width]);
    }
  });

  it('refuses other channels', () => {
    const preprocess = { channels: 'RGBA' } as unknown as Preprocess;
    expect(() => applyPreprocess(noise(2, 2, 3), preprocess)).toThrow(/not 'RGBA'/);
  });
});
