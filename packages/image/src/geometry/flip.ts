// Mirrors and quarter turns: pixels move, none is computed.

import { ImageError } from '../errors.ts';
import { blank, type Image, type PixelData } from '../image.ts';

/** Copies `image` so that output pixel (x, y) is input pixel `start + x * stepX + y * stepY`, counted in pixels. */
function rearrange<Data extends PixelData>(
  image: Image<Data>,
  size: { width: number; height: number },
  start: number,
  stepX: number,
  stepY: number,
): Image<Data> {
  const result = blank(image, size);
  const { channels, data } = image;
  const target = result.data;
  let out = 0;
  for (let y = 0; y < size.height; y++) {
    let at = (start + y * stepY) * channels;
    for (let x = 0; x < size.width; x++) {
      for (let c = 0; c < channels; c++) target[out++] = data[at + c]!;
      at += stepX * channels;
    }
  }
  return result;
}

/** Left becomes right. */
export function flipHorizontal<Data extends PixelData>(image: Image<Data>): Image<Data> {
  return rearrange(image, image, image.width - 1, -1, image.width);
}

/** Top becomes bottom. */
export function flipVertical<Data extends PixelData>(image: Image<Data>): Image<Data> {
  return rearrange(image, image, (image.height - 1) * image.width, 1, -image.width);
}

/** Rows become columns. */
export function transpose<Data extends PixelData>(image: Image<Data>): Image<Data> {
  return rearrange(image, { width: image.height, height: image.width }, 0, image.width, 1);
}

/** Turned counter-clockwise, `turns` times by 90 degrees; clockwise below 0. Throws an ImageError for parts of a turn. */
export function rotateQuarters<Data extends PixelData>(
  image: Image<Data>,
  turns: number,
): Image<Data> {
  if (!Number.isInteger(turns)) {
    throw new ImageError(
      'argument',
      `rotateQuarters takes a whole number of turns by 90 degrees, not ${turns}; rotate takes any angle`,
    );
  }
  const { width, height } = image;
  switch (((turns % 4) + 4) % 4) {
    case 1:
      return rearrange(image, { width: height, height: width }, width - 1, width, -1);
    case 2:
      return rearrange(image, image, width * height - 1, -1, -width);
    case 3:
      return rearrange(image, { width: height, height: width }, (height - 1) * width, -width, 1);
    default:
      return rearrange(image, image, 0, 1, width);
  }
}
