// The picture that everything here takes and gives: interleaved pixels and their extent. It knows nothing of files, colours
// or operations.

import { ImageError } from './errors.ts';

/** Grey, RGB, or RGB with alpha (not premultiplied). */
export type Channels = 1 | 3 | 4;

/** Eight bits a value, or sixteen where the decoder was asked for `depth: 16`. */
export type PixelData = Uint8Array | Uint16Array;

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface ImageInit<Data extends PixelData> extends Size {
  readonly channels: Channels;
  /** `[height, width, channels]` in C order; not copied. Zeros where left out. */
  readonly data?: Data | undefined;
}

/** Pixels `[height, width, channels]`, interleaved. Operations return new pictures and leave theirs as they are. */
export class Image<Data extends PixelData = Uint8Array> {
  readonly width: number;
  readonly height: number;
  readonly channels: Channels;
  readonly data: Data;

  /** Throws an ImageError where the extents are no positive integers or the data are of another length. */
  constructor({ width, height, channels, data }: ImageInit<Data>) {
    requireSize({ width, height }, 'an image');
    if (channels !== 1 && channels !== 3 && channels !== 4) {
      throw new ImageError('argument', `an image has 1, 3 or 4 channels, not ${channels}`);
    }
    const length = width * height * channels;
    if (data !== undefined && !(data instanceof Uint8Array || data instanceof Uint16Array)) {
      // A Uint8ClampedArray, as ImageData has it, fits by `new Uint8Array(data.buffer)`.
      throw new ImageError('argument', "an image's data are a Uint8Array or a Uint16Array");
    }
    if (data !== undefined && data.length !== length) {
      throw new ImageError(
        'argument',
        `an image of ${width}x${height} with ${channels} channels has ${length} values, not ${data.length}`,
      );
    }
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.data = data ?? (new Uint8Array(length) as PixelData as Data);
  }
}

/** Four channels of 16 bits then stay below what an array can hold. */
const MOST_PIXELS = 2 ** 29;

/** Throws an ImageError unless both extents are positive integers and the pixels can be held. */
export function requireSize({ width, height }: Size, what: string): void {
  const whole = Number.isInteger(width) && Number.isInteger(height);
  if (!whole || width < 1 || height < 1) {
    throw new ImageError(
      'argument',
      `${what} has a width and a height of at least 1, whole numbers, not ${width}x${height}`,
    );
  }
  if (width * height > MOST_PIXELS) {
    throw new ImageError(
      'limit',
      `${what} has ${MOST_PIXELS} pixels at most, not ${width}x${height}`,
    );
  }
}

/** Throws an ImageError unless `value` is a finite number of at least `least`. */
export function requireNumber(value: number, what: string, least: number = -Infinity): void {
  if (!Number.isFinite(value) || value < least) {
    const bound = least === -Infinity ? 'a finite number' : `a number of at least ${least}`;
    throw new ImageError('argument', `${what} is ${bound}, not ${value}`);
  }
}

/** Throws an ImageError for 16-bit pictures, which `operation` cannot take. */
export function requireBytes(image: Image<PixelData>, operation: string): void {
  if (!(image.data instanceof Uint8Array)) {
    throw new ImageError(
      'argument',
      `${operation} takes 8-bit pictures; decode without depth: 16, or go by toPlanes and fromPlanes`,
    );
  }
}

/** A picture like `image` in channels and depth, of another size, filled with zeros. */
export function blank<Data extends PixelData>(
  { channels, data }: Image<Data>,
  { width, height }: Size,
): Image<Data> {
  const length = width * height * channels;
  const zeros: PixelData =
    data instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
  return new Image<Data>({ width, height, channels, data: zeros as Data });
}

/** A value for all channels or one a channel, as an array of one a channel. Throws an ImageError where it does not fit. */
export function channelValues(
  value: number | readonly number[],
  { channels, data }: Image<PixelData>,
  what: string,
): readonly number[] {
  const values = typeof value === 'number' ? Array<number>(channels).fill(value) : value;
  const most = data instanceof Uint16Array ? 65_535 : 255;
  const fits = (entry: number): boolean => entry >= 0 && entry <= most;
  if (values.length !== channels || !values.every(fits)) {
    throw new ImageError(
      'argument',
      `${what} is a number of 0 to ${most}, or ${channels} of them, one a channel; not ${String(value)}`,
    );
  }
  return values;
}
