// Colour spaces on 8 bits, in Pillow's arithmetic: HSV with the hue's circle in 256 steps, YCbCr as in JPEG. Each returns three
// channels that mean something else; nothing marks the picture.

import { Image, requireNumber } from '../image.ts';
import { requireColour } from './gray.ts';

type Convert = (input: Uint8Array, output: Uint8Array, at: number) => void;

function map(image: Image, convert: Convert, operation: string): Image {
  const { width, height, data } = requireColour(image, operation);
  const output = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) convert(data, output, i);
  return new Image({ width, height, channels: 3, data: output });
}

const { fround } = Math;

function writeHsv(input: Uint8Array, output: Uint8Array, at: number): void {
  const red = input[at]!;
  const green = input[at + 1]!;
  const blue = input[at + 2]!;
  const most = Math.max(red, green, blue);
  const spread = most - Math.min(red, green, blue);
  output[at + 2] = most;
  if (spread === 0) return;
  const r = fround((most - red) / spread);
  const g = fround((most - green) / spread);
  const b = fround((most - blue) / spread);
  const sector = red === most ? b - g : green === most ? 2 + r - b : 4 + g - r;
  output[at] = fround((fround(sector) / 6 + 1) % 1) * 255;
  output[at + 1] = fround(spread / most) * 255;
}

function writeRgb(input: Uint8Array, output: Uint8Array, at: number): void {
  const value = input[at + 2]!;
  const saturation = fround(input[at + 1]! / 255);
  const position = fround((input[at]! * 6) / 255);
  const sector = Math.floor(position);
  const part = position - sector;
  const p = Math.round(value * (1 - saturation));
  const q = Math.round(value * (1 - saturation * part));
  const t = Math.round(value * (1 - saturation * (1 - part)));
  let [red, green, blue] = [value, p, q];
  switch (sector % 6) {
    case 0:
      [red, green, blue] = [value, t, p];
      break;
    case 1:
      [red, green, blue] = [q, value, p];
      break;
    case 2:
      [red, green, blue] = [p, value, t];
      break;
    case 3:
      [red, green, blue] = [p, q, value];
      break;
    case 4:
      [red, green, blue] = [t, p, value];
      break;
  }
  output[at] = red;
  output[at + 1] = green;
  output[at + 2] = blue;
}

/** Hue, saturation, value, each 0 to 255. Grey pictures count as RGB. */
export function rgbToHsv(image: Image): Image {
  return map(image, writeHsv, 'rgbToHsv');
}

export function hsvToRgb(image: Image): Image {
  return map(image, writeRgb, 'hsvToRgb');
}

/**
 * The hue moved by `turns` of the circle, -0.5 to 0.5 (torchvision's `hue_factor`), through 8-bit HSV. Grey pictures stay as
 * they are, and so does alpha.
 */
export function hue(image: Image, turns: number): Image {
  requireNumber(turns, "hue's turns");
  if (image.channels === 1) return new Image({ ...image, data: image.data.slice() });
  const hsv = rgbToHsv(image);
  const shift = Math.trunc(turns * 255);
  for (let i = 0; i < hsv.data.length; i += 3) hsv.data[i] = hsv.data[i]! + shift;
  const rgb = hsvToRgb(hsv);
  if (image.channels === 3) return rgb;
  const data = image.data.slice();
  for (let i = 0; i < data.length; i++) {
    if (i % 4 !== 3) data[i] = rgb.data[(i >> 2) * 3 + (i % 4)]!;
  }
  return new Image({ ...image, data });
}

const byte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value);

/** Six fractional bits, each product rounded on its own, as Pillow's tables have it. */
const share = (weight: number, value: number): number => Math.trunc(weight * 64 * value + 0.5);

function writeYcbcr(input: Uint8Array, output: Uint8Array, at: number): void {
  const red = input[at]!;
  const green = input[at + 1]!;
  const blue = input[at + 2]!;
  output[at] = (share(0.299, red) + share(0.587, green) + share(0.114, blue)) >> 6;
  const cb = share(-0.16874, red) + share(-0.33126, green) + share(0.5, blue);
  const cr = share(0.5, red) + share(-0.41869, green) + share(-0.08131, blue);
  output[at + 1] = byte((cb >> 6) + 128);
  output[at + 2] = byte((cr >> 6) + 128);
}

function writeFromYcbcr(input: Uint8Array, output: Uint8Array, at: number): void {
  const y = input[at]!;
  const cb = input[at + 1]! - 128;
  const cr = input[at + 2]! - 128;
  output[at] = byte(y + (share(1.402, cr) >> 6));
  output[at + 1] = byte(y + ((share(-0.34414, cb) + share(-0.71414, cr)) >> 6));
  output[at + 2] = byte(y + (share(1.772, cb) >> 6));
}

/** JPEG's luma and chroma (full range, chroma around 128). Grey pictures count as RGB. */
export function rgbToYcbcr(image: Image): Image {
  return map(image, writeYcbcr, 'rgbToYcbcr');
}

export function ycbcrToRgb(image: Image): Image {
  return map(image, writeFromYcbcr, 'ycbcrToRgb');
}
