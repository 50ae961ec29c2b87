// Resizing as Pillow does it: antialiased (the filter widens where the picture shrinks), 8 bits, by two passes.

import { ImageError } from '../errors.ts';
import { Image, requireBytes, requireNumber, requireSize, type Size } from '../image.ts';
import { premultiply, unpremultiply } from '../colour/alpha.ts';
import { pick, resample, type Kernel } from './resample.ts';

export type ResizeFilter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Keys' cubic with a = -0.5. */
function cubic(position: number): number {
  const x = Math.abs(position);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function hamming(position: number): number {
  const x = Math.abs(position);
  return x < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0;
}

const kernels: Readonly<Record<Exclude<ResizeFilter, 'nearest'>, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

export interface ResizeOptions extends Size {
  /** Default: bilinear. */
  readonly filter?: ResizeFilter | undefined;
  /** The part that is read, `[left, top, right, bottom]` in pixels, fractions allowed. Default: all. */
  readonly box?: readonly [left: number, top: number, right: number, bottom: number] | undefined;
}

/**
 * The picture at another size, equal to Pillow's `Image.resize` with the same filter and box. Pictures with alpha are weighed
 * by it, so that the colour of transparent pixels does not bleed. Throws an ImageError for a size below 1x1, an unknown filter or
 * a box that is empty or reaches outside.
 */
export function resize(image: Image, options: ResizeOptions): Image {
  const { width, height, filter = 'bilinear' } = options;
  const { box = [0, 0, image.width, image.height] } = options;
  requireBytes(image, 'resize');
  requireSize({ width, height }, 'the size to resize to');
  const [left, top, right, bottom] = box;
  const inside = left >= 0 && top >= 0 && right <= image.width && bottom <= image.height;
  if (!inside || !(right > left && bottom > top)) {
    throw new ImageError(
      'argument',
      `resize: the box [left, top, right, bottom] must lie in the picture of ${image.width}x${image.height} and hold something; it is [${box.join(', ')}]`,
    );
  }
  const { channels } = image;
  const made = (data: Uint8Array): Image => new Image({ width, height, channels, data });
  if (filter === 'nearest') return made(pick(image, box, { width, height }));
  const kernel = Object.hasOwn(kernels, filter) ? kernels[filter] : undefined;
  if (!kernel) {
    throw new ImageError(
      'argument',
      `resize: the filter is nearest, ${Object.keys(kernels).join(', ')}; not '${String(filter)}'`,
    );
  }
  const same = width === image.width && height === image.height;
  if (same && left === 0 && top === 0 && right === width && bottom === height) {
    return made(image.data.slice());
  }
  const source = channels === 4 ? premultiply(image) : image;
  const result = made(resample(source, box, { width, height }, kernel));
  return channels === 4 ? unpremultiply(result) : result;
}

export interface ShorterSideOptions {
  /** Pixels of the shorter side. */
  readonly size: number;
  /** Default: bilinear. */
  readonly filter?: ResizeFilter | undefined;
  /** What the longer side may be at most; the picture is made smaller until it fits. */
  readonly maxSize?: number | undefined;
}

/** The size that `resizeShorterSide` gives: torchvision's, which cuts the longer side's fraction off. */
export function shorterSideSize({ width, height }: Size, size: number, maxSize?: number): Size {
  let short = size;
  let long = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  if (maxSize !== undefined && long > maxSize) {
    short = Math.max(1, Math.trunc((maxSize * short) / long));
    long = maxSize;
  }
  return width <= height ? { width: short, height: long } : { width: long, height: short };
}

/** The picture resized so that its shorter side has `size` pixels, as torchvision's `Resize(size)`. */
export function resizeShorterSide(
  image: Image,
  { size, filter, maxSize }: ShorterSideOptions,
): Image {
  requireNumber(size, "resizeShorterSide's size", 1);
  if (maxSize !== undefined) requireNumber(maxSize, "resizeShorterSide's maxSize", size);
  return resize(image, { ...shorterSideSize(image, size, maxSize), filter });
}
