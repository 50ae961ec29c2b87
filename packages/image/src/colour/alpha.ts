// Transparency: weighing colours by it for resampling, and laying a picture over a background.

import { blank, channelValues, Image, requireBytes } from '../image.ts';

/** a * b / 255 to the nearest integer, for bytes. */
function scaleByte(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** Colours times alpha. Expects four channels. */
export function premultiply(image: Image): Image {
  const result = blank(image, image);
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    for (let c = 0; c < 3; c++) result.data[i + c] = scaleByte(data[i + c]!, alpha);
    result.data[i + 3] = alpha;
  }
  return result;
}

/** Undoes `premultiply` up to rounding; colours of transparent pixels stay as they are. */
export function unpremultiply(image: Image): Image {
  const result = blank(image, image);
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    const whole = alpha === 255 || alpha === 0;
    for (let c = 0; c < 3; c++) {
      const value = data[i + c]!;
      result.data[i + c] = whole ? value : Math.min(255, Math.trunc((255 * value) / alpha));
    }
    result.data[i + 3] = alpha;
  }
  return result;
}

export interface CompositeOptions {
  /** RGB, 0 to 255. Default: white. */
  readonly background?: readonly [red: number, green: number, blue: number] | undefined;
}

/** An RGB picture: `image` over a background of one colour. A picture without alpha is returned as it is. */
export function compositeAlpha(image: Image, options: CompositeOptions = {}): Image {
  requireBytes(image, 'compositeAlpha');
  if (image.channels !== 4) return image;
  const { width, height, data } = image;
  const result = new Image({ width, height, channels: 3 });
  const background = channelValues(
    options.background ?? [255, 255, 255],
    result,
    'the background',
  ).map(Math.round);
  for (let i = 0, out = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    for (let c = 0; c < 3; c++, out++) {
      // One rounding for the sum of both shares.
      const mixed = data[i + c]! * alpha + background[c]! * (255 - alpha) + 128;
      result.data[out] = ((mixed >> 8) + mixed) >> 8;
    }
  }
  return result;
}
