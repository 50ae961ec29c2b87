// Against Pillow and torchvision, to the last level: what golden cases leave out. fixtures/make.py made the results.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { expect, it } from 'vitest';

import {
  affine,
  affineMatrix,
  autocontrast,
  centerCrop,
  compositeAlpha,
  gamma,
  gaussianBlur,
  hsvToRgb,
  hue,
  Image,
  pad,
  resize,
  resizeShorterSide,
  rgbToHsv,
  rgbToYcbcr,
  rotate,
  sharpness,
  ycbcrToRgb,
  type Channels,
} from '../src/index.ts';

interface Picture {
  readonly shape: readonly [number, number, Channels];
  readonly u8_b64: string;
}

const file = new URL('fixtures/pillow.json.gz', import.meta.url);
const document = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
  rgb: Picture;
  rgba: Picture;
  results: Record<string, Picture>;
};

function read({ shape: [height, width, channels], u8_b64: values }: Picture): Image {
  const data = Uint8Array.from(Buffer.from(values, 'base64'));
  return new Image({ width, height, channels, data });
}

const rgb = read(document.rgb);
const rgba = read(document.rgba);
const { width, height } = rgb;
const margins = { left: 3, top: 4, right: 5, bottom: 6 } as const;

const ours: Readonly<Record<string, () => Image>> = {
  rgbToHsv: () => rgbToHsv(rgb),
  hsvToRgb: () => hsvToRgb(rgb),
  rgbToYcbcr: () => rgbToYcbcr(rgb),
  ycbcrToRgb: () => ycbcrToRgb(rgb),
  hue: () => hue(rgb, 0.17),
  sharpness: () => sharpness(rgb, 1.9),
  autocontrast: () => autocontrast(rgb, { cutoff: 3 }),
  gamma: () => gamma(rgb, { gamma: 0.7, gain: 1.2 }),
  centerCropLarger: () => centerCrop(rgb, { width: 60, height: 20 }),
  centerCropOdd: () => centerCrop(rgb, { width: 22, height: 20 }),
  affine: () =>
    affine(rgb, {
      matrix: affineMatrix({
        width,
        height,
        degrees: 25,
        translate: [5, -7],
        scale: 1.2,
        shear: [10, 5],
      }),
      filter: 'bilinear',
      fill: 3,
    }),
  resizeShorterSide: () => resizeShorterSide(rgb, { size: 17 }),
  rotateAbout: () =>
    rotate(rgb, { degrees: 31, filter: 'bicubic', center: [20, 30], fill: [9, 8, 7] }),
  gaussianBlur: () => gaussianBlur(rgb, { kernelSize: 5, sigma: 1.1 }),
  padReflect: () => pad(rgb, { ...margins, mode: 'reflect' }),
  padEdge: () => pad(rgb, { ...margins, mode: 'edge' }),
  resizeAlpha: () => resize(rgba, { width: 23, height: 19, filter: 'bicubic' }),
  rotateAlpha: () => rotate(rgba, { degrees: 31, filter: 'bilinear' }),
  compositeAlpha: () => compositeAlpha(rgba),
};

it.each(Object.keys(document.results))('%s gives what Pillow gives', (name) => {
  expect(ours[name]!()).toEqual(read(document.results[name]!));
});
