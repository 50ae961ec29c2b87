// What a classifier wants done to a picture, as plain data that can stand beside its weights, and the doing of it.

import { compositeAlpha } from '../colour/alpha.ts';
import { grayscale, toRgb } from '../colour/gray.ts';
import { ImageError } from '../errors.ts';
import { centerCrop } from '../geometry/crop.ts';
import { pad } from '../geometry/pad.ts';
import {
  resize,
  resizeShorterSide,
  shorterSideSize,
  type ResizeFilter,
} from '../geometry/resize.ts';
import type { Image, Size } from '../image.ts';
import { toBatch, type ImageBatch } from './planes.ts';

/** Per channel of RGB in [0, 1], over ImageNet's training pictures. */
export const IMAGENET_MEAN: readonly [number, number, number] = [0.485, 0.456, 0.406];
export const IMAGENET_STD: readonly [number, number, number] = [0.229, 0.224, 0.225];

/** The shorter side, the other in proportion (torchvision's size rounding), or both sides. Antialiased. */
export type PreprocessResize =
  | { readonly shorterSide: number; readonly filter?: ResizeFilter | undefined }
  | {
      readonly width: number;
      readonly height: number;
      readonly filter?: ResizeFilter | undefined;
    };

/** The steps in their order; each may be left out. JSON holds it. */
export interface Preprocess {
  /** Of the network's input. Default: RGB. Transparent pictures are laid over white first. */
  readonly channels?: 'RGB' | 'BGR' | 'gray' | undefined;
  /** Default filter: bilinear. */
  readonly resize?: PreprocessResize | undefined;
  /** The middle, as `centerCrop`. */
  readonly crop?: Size | undefined;
  /** Pixels of 0 on every side. */
  readonly pad?: number | undefined;
  /** Default: 1/255. */
  readonly scale?: number | undefined;
  /** One a channel, in the network's order: the input is (value * scale - mean) / std. Default: 0. */
  readonly mean?: readonly number[] | undefined;
  /** Default: 1. */
  readonly std?: readonly number[] | undefined;
}

export interface ImagenetPreprocessOptions {
  /** The shorter side. Default: 256. */
  readonly resize?: number | undefined;
  /** Side of the square that is cut out. Default: 224. */
  readonly crop?: number | undefined;
  /** Default: bilinear. */
  readonly filter?: ResizeFilter | undefined;
}

/** torchvision's and timm's: shorter side, middle square, [0, 1], ImageNet's mean and deviation. */
export function imagenetPreprocess(options: ImagenetPreprocessOptions = {}): Preprocess {
  const { resize: shorterSide = 256, crop = 224, filter = 'bilinear' } = options;
  return {
    channels: 'RGB',
    resize: { shorterSide, filter },
    crop: { width: crop, height: crop },
    scale: 1 / 255,
    mean: IMAGENET_MEAN,
    std: IMAGENET_STD,
  };
}

export interface SignedPreprocessOptions extends Size {
  /** Default: bilinear. */
  readonly filter?: ResizeFilter | undefined;
}

/** The whole picture at one size, values in [-1, 1] by x / 127.5 - 1: TensorFlow's for Inception and MobileNet. */
export function signedPreprocess(options: SignedPreprocessOptions): Preprocess {
  const { width, height, filter = 'bilinear' } = options;
  return {
    channels: 'RGB',
    resize: { width, height, filter },
    scale: 1 / 127.5,
    mean: [1, 1, 1],
  };
}

function prepare(image: Image, { channels = 'RGB', ...steps }: Preprocess): Image {
  const opaque = compositeAlpha(image);
  let result = channels === 'gray' ? grayscale(opaque) : toRgb(opaque);
  if (steps.resize) {
    result =
      'shorterSide' in steps.resize
        ? resizeShorterSide(result, {
            size: steps.resize.shorterSide,
            filter: steps.resize.filter,
          })
        : resize(result, steps.resize);
  }
  if (steps.crop) result = centerCrop(result, steps.crop);
  if (steps.pad) result = pad(result, { all: steps.pad });
  return result;
}

/**
 * Pictures as a classifier's input, `[N, C, H, W]`. Throws an ImageError where mean or std do not fit the channels, or where
 * pictures come out in different sizes (no `crop` after `shorterSide`).
 */
export function applyPreprocess(
  images: Image | readonly Image[],
  preprocess: Preprocess,
): ImageBatch {
  const list = Array.isArray(images) ? (images as readonly Image[]) : [images as Image];
  const { channels = 'RGB', scale = 1 / 255, mean, std } = preprocess;
  if (channels !== 'RGB' && channels !== 'BGR' && channels !== 'gray') {
    throw new ImageError(
      'argument',
      `channels is 'RGB', 'BGR' or 'gray', not '${String(channels)}'`,
    );
  }
  return toBatch(
    list.map((image) => prepare(image, preprocess)),
    { scale, mean, std, order: channels === 'BGR' ? 'BGR' : 'RGB' },
  );
}

/** What `applyPreprocess` makes of a picture of this size. */
export function preprocessedSize(
  preprocess: Preprocess,
  { width, height }: Size,
): Size & { readonly channels: 1 | 3 } {
  let size: Size = { width, height };
  if (preprocess.resize) {
    size =
      'shorterSide' in preprocess.resize
        ? shorterSideSize(size, preprocess.resize.shorterSide)
        : preprocess.resize;
  }
  if (preprocess.crop) size = preprocess.crop;
  const margin = 2 * (preprocess.pad ?? 0);
  return {
    channels: preprocess.channels === 'gray' ? 1 : 3,
    width: size.width + margin,
    height: size.height + margin,
  };
}
