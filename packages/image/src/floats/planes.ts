// Between interleaved bytes and planar float32, the layout that networks take: [C, H, W], and [N, C, H, W] for batches.

import { ImageError } from '../errors.ts';
import { Image, type Channels, type PixelData } from '../image.ts';

/** `[channels, height, width]` in C order. */
export interface Planes {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Pictures of one size, `[N, C, H, W]`. */
export interface ImageBatch {
  readonly data: Float32Array;
  readonly shape: readonly [count: number, channels: number, height: number, width: number];
}

export interface PlaneOptions {
  /** Default: 1/255, or 1/65535 for 16-bit pictures. */
  readonly scale?: number | undefined;
  /** One a channel of the planes, in units of the scaled values. Default: 0. */
  readonly mean?: readonly number[] | undefined;
  /** One a channel of the planes. Default: 1. */
  readonly std?: readonly number[] | undefined;
  /** Order of the colour planes. Default: RGB. */
  readonly order?: 'RGB' | 'BGR' | undefined;
}

interface Normalization {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** The picture's channel of each plane. */
  readonly source: readonly number[];
}

function normalizationOf(options: PlaneOptions, channels: number, most: number): Normalization {
  const { scale = 1 / most, order = 'RGB' } = options;
  const { mean = Array<number>(channels).fill(0), std = Array<number>(channels).fill(1) } = options;
  for (const [name, values] of Object.entries({ mean, std })) {
    if (values.length !== channels || !values.every(Number.isFinite)) {
      throw new ImageError(
        'argument',
        `${name} is a finite number a channel, ${channels} here; it is [${values.join(', ')}]`,
      );
    }
  }
  if (!Number.isFinite(scale) || scale === 0 || std.includes(0)) {
    throw new ImageError('argument', 'scale and std are numbers other than 0');
  }
  if (order !== 'RGB' && order !== 'BGR') {
    throw new ImageError('argument', `order is 'RGB' or 'BGR', not '${String(order)}'`);
  }
  const reversed = order === 'BGR' && channels >= 3;
  const source = Array.from({ length: channels }, (_, c) => (reversed && c < 3 ? 2 - c : c));
  return { scale, mean, std, source };
}

const mostOf = (data: PixelData): number => (data instanceof Uint16Array ? 65_535 : 255);

function write(image: Image<PixelData>, options: PlaneOptions, target: Float32Array): void {
  const { data, channels } = image;
  const { scale, mean, std, source } = normalizationOf(options, channels, mostOf(data));
  const length = image.width * image.height;
  for (let c = 0; c < channels; c++) {
    const [m, s] = [mean[c]!, std[c]!];
    let at = source[c]!;
    const begin = c * length;
    for (let i = begin; i < begin + length; i++, at += channels) {
      target[i] = (data[at]! * scale - m) / s;
    }
  }
}

/** (value * scale - mean) / std of every value, planar. Throws an ImageError where mean or std do not fit the channels. */
export function toPlanes(image: Image<PixelData>, options: PlaneOptions = {}): Planes {
  const { channels, height, width } = image;
  const data = new Float32Array(channels * height * width);
  write(image, options, data);
  return { data, channels, height, width };
}

/** Pictures of one size and channel count, as `toPlanes` gives each. Throws an ImageError that names the first that differs. */
export function toBatch(
  images: readonly Image<PixelData>[],
  options: PlaneOptions = {},
): ImageBatch {
  const [first] = images;
  if (!first) throw new ImageError('argument', 'toBatch needs at least one picture');
  const { channels, height, width } = first;
  const size = channels * height * width;
  const data = new Float32Array(images.length * size);
  for (const [i, image] of images.entries()) {
    if (image.channels !== channels || image.height !== height || image.width !== width) {
      throw new ImageError(
        'argument',
        `toBatch: picture ${i} is ${image.width}x${image.height} with ${image.channels} channels, the first ${width}x${height} with ${channels}; resize or crop to one size`,
      );
    }
    write(image, options, data.subarray(i * size, (i + 1) * size));
  }
  return { data, shape: [images.length, channels, height, width] };
}

/** Undoes `toPlanes` with the same options: 8 bits, rounded, what lies outside clamped. */
export function fromPlanes(planes: Planes, options: PlaneOptions = {}): Image {
  const { data, channels, height, width } = planes;
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw new ImageError('argument', `a picture has 1, 3 or 4 planes, not ${channels}`);
  }
  requireLength(planes);
  const { scale, mean, std, source } = normalizationOf(options, channels, 255);
  const image = new Image({ width, height, channels: channels as Channels });
  const length = width * height;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < length; i++) {
      const value = Math.round((data[c * length + i]! * std[c]! + mean[c]!) / scale);
      image.data[i * channels + source[c]!] = value < 0 ? 0 : value > 255 ? 255 : value;
    }
  }
  return image;
}

/** Undoes `toBatch` with the same options. */
export function fromBatch({ data, shape }: ImageBatch, options: PlaneOptions = {}): Image[] {
  const [count, channels, height, width] = shape;
  const size = channels * height * width;
  if (data.length !== count * size) {
    throw new ImageError(
      'argument',
      `a batch of shape [${shape.join(', ')}] has ${count * size} values, not ${data.length}`,
    );
  }
  return Array.from({ length: count }, (_, i) =>
    fromPlanes({ data: data.subarray(i * size, (i + 1) * size), channels, height, width }, options),
  );
}

/** Throws an ImageError where the data do not fill the planes. */
export function requireLength({ data, channels, height, width }: Planes): void {
  if (data.length !== channels * height * width) {
    throw new ImageError(
      'argument',
      `${channels} planes of ${width}x${height} have ${channels * height * width} values, not ${data.length}`,
    );
  }
}
