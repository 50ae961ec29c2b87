// Cutting pictures: one part, the middle, and the five and ten parts over which a classifier's answers are averaged.

import { ImageError } from '../errors.ts';
import { blank, requireSize, type Image, type PixelData, type Size } from '../image.ts';
import { flipHorizontal, flipVertical } from './flip.ts';
import { pad } from './pad.ts';

export interface CropOptions extends Size {
  readonly left: number;
  readonly top: number;
}

/** The part of `width` x `height` whose top left pixel is at `left`, `top`. Throws an ImageError where it reaches outside. */
export function crop<Data extends PixelData>(
  image: Image<Data>,
  { left, top, width, height }: CropOptions,
): Image<Data> {
  requireSize({ width, height }, 'the part to crop');
  const whole = Number.isInteger(left) && Number.isInteger(top);
  const inside =
    left >= 0 && top >= 0 && left + width <= image.width && top + height <= image.height;
  if (!whole || !inside) {
    throw new ImageError(
      'argument',
      `crop: ${width}x${height} at ${left}, ${top} must lie in the picture of ${image.width}x${image.height}, at whole pixels; pad it first`,
    );
  }
  const result = blank(image, { width, height });
  const { channels } = image;
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * image.width + left) * channels;
    result.data.set(image.data.subarray(from, from + width * channels), y * width * channels);
  }
  return result;
}

/** To the nearest integer, halves to the even one. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * The middle, as torchvision's `CenterCrop`: an odd rest is rounded half to even, and a picture smaller than the part gets
 * margins of zeros, the larger at the right and the bottom.
 */
export function centerCrop<Data extends PixelData>(
  image: Image<Data>,
  { width, height }: Size,
): Image<Data> {
  requireSize({ width, height }, 'the part to crop');
  const missing = {
    width: Math.max(0, width - image.width),
    height: Math.max(0, height - image.height),
  };
  const padded =
    missing.width + missing.height === 0
      ? image
      : pad(image, {
          left: Math.floor(missing.width / 2),
          top: Math.floor(missing.height / 2),
          right: Math.ceil(missing.width / 2),
          bottom: Math.ceil(missing.height / 2),
        });
  return crop(padded, {
    left: roundHalfEven((padded.width - width) / 2),
    top: roundHalfEven((padded.height - height) / 2),
    width,
    height,
  });
}

/** The corners (top left, top right, bottom left, bottom right) and the middle. Throws an ImageError where they do not fit. */
export function fiveCrop<Data extends PixelData>(
  image: Image<Data>,
  { width, height }: Size,
): Image<Data>[] {
  const right = image.width - width;
  const bottom = image.height - height;
  return [
    crop(image, { left: 0, top: 0, width, height }),
    crop(image, { left: right, top: 0, width, height }),
    crop(image, { left: 0, top: bottom, width, height }),
    crop(image, { left: right, top: bottom, width, height }),
    centerCrop(image, { width, height }),
  ];
}

export interface TenCropOptions extends Size {
  /** Mirror top to bottom instead of left to right. */
  readonly vertical?: boolean | undefined;
}

/** `fiveCrop`, then the same of the mirrored picture. */
export function tenCrop<Data extends PixelData>(
  image: Image<Data>,
  { vertical = false, ...size }: TenCropOptions,
): Image<Data>[] {
  const mirrored = vertical ? flipVertical(image) : flipHorizontal(image);
  return [...fiveCrop(image, size), ...fiveCrop(mirrored, size)];
}
