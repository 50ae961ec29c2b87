// Brightness, contrast, saturation and sharpness: blends of a picture with a degenerate one, as Pillow's ImageEnhance computes
// them. Factor 0 gives the degenerate picture, 1 the picture itself, more than 1 goes beyond it.

import { blank, requireBytes, requireNumber, type Image } from '../image.ts';
import { grayscale, luminance } from './gray.ts';

/** degenerate + factor * (image - degenerate), the fraction cut off. Alpha stays. */
function blend(image: Image, factor: number, degenerate: (index: number) => number): Image {
  const result = blank(image, image);
  const { data, channels } = image;
  const share = Math.fround(factor);
  for (let i = 0; i < data.length; i++) {
    if (channels === 4 && i % 4 === 3) {
      result.data[i] = data[i]!;
      continue;
    }
    const base = degenerate(i);
    const value = Math.fround(base + Math.fround(share * (data[i]! - base)));
    result.data[i] = value <= 0 ? 0 : value >= 255 ? 255 : value;
  }
  return result;
}

function check(image: Image, factor: number, operation: string): void {
  requireBytes(image, operation);
  requireNumber(factor, `${operation}'s factor`, 0);
}

/** Against black. */
export function brightness(image: Image, factor: number): Image {
  check(image, factor, 'brightness');
  return blend(image, factor, () => 0);
}

/** Against the picture's mean grey, rounded. */
export function contrast(image: Image, factor: number): Image {
  check(image, factor, 'contrast');
  const grey = grayscale(image).data;
  let sum = 0;
  for (const value of grey) sum += value;
  const mean = Math.floor(sum / grey.length + 0.5);
  return blend(image, factor, () => mean);
}

/** Against the picture in grey. A grey picture stays as it is. */
export function saturation(image: Image, factor: number): Image {
  check(image, factor, 'saturation');
  const { data, channels } = image;
  if (channels === 1) return blend(image, 1, () => 0);
  return blend(image, factor, (i) => luminance(data, i - (i % channels)));
}

/** Against the picture smoothed by the 3x3 kernel of ones with 5 in its middle; its border is not smoothed. */
export function sharpness(image: Image, factor: number): Image {
  check(image, factor, 'sharpness');
  const smooth = smoothed(image);
  return blend(image, factor, (i) => smooth[i]!);
}

function smoothed({ width, height, channels, data }: Image): Uint8Array {
  const result = data.slice();
  const stride = width * channels;
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * stride + channels; i < (y + 1) * stride - channels; i++) {
      let sum = 4 * data[i]!;
      for (let row = i - stride; row <= i + stride; row += stride) {
        sum += data[row - channels]! + data[row]! + data[row + channels]!;
      }
      result[i] = Math.floor(sum / 13 + 0.5);
    }
  }
  return result;
}
