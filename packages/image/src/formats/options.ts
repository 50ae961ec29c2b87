// What decoding takes and gives on every platform, and the steps that follow once there are pixels.

import { compositeAlpha } from '../colour/alpha.ts';
import { grayscale, toBytes, toRgb } from '../colour/gray.ts';
import { ImageError } from '../errors.ts';
import type { Image, PixelData, Size } from '../image.ts';
import { decodeBmp } from './bmp.ts';
import { readHeader, type ImageHeader } from './header.ts';
import { decodePnm } from './pnm.ts';

export interface DecodeOptions {
  /** What messages call the picture. Default: its path, address or file name. */
  readonly name?: string | undefined;
  /** `composite` lays transparent pictures over the background, `keep` gives four channels. Default: composite. */
  readonly alpha?: 'composite' | 'keep' | undefined;
  /** RGB. Default: white. */
  readonly background?: readonly [red: number, green: number, blue: number] | undefined;
  /** 3: RGB, 1: grey. Default: 1 for pictures stored in grey, 3 for others. With `alpha: 'keep'` transparent ones have 4 all the same. */
  readonly channels?: 1 | 3 | undefined;
  /** The largest width times height, told from the header before anything is decoded. Default: 100 million. */
  readonly maxPixels?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const DEFAULT_NAME = 'the picture';
const DEFAULT_MAX_PIXELS = 100_000_000;

/** A wrong value as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}

const wrong = (expected: string, given: unknown): ImageError =>
  new ImageError('argument', `${expected}, not ${shown(given)}`);

/** Throws an ImageError for options that there are not, whatever picture they are for. */
export function checkDecoding(options: DecodeOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw new ImageError('argument', `decode takes its options as an object, not ${options}`);
  }
  const { alpha, background, channels, maxPixels, signal } = options;
  if (alpha !== undefined && alpha !== 'composite' && alpha !== 'keep') {
    throw wrong(`alpha is 'composite' or 'keep'`, alpha);
  }
  if (channels !== undefined && channels !== 1 && channels !== 3) {
    throw wrong('channels is 1 or 3', channels);
  }
  if (background !== undefined) {
    const levels = Array.isArray(background) && background.length === 3 ? background : [];
    if (levels.length === 0 || !levels.every((level) => level >= 0 && level <= 255)) {
      throw wrong('background is three numbers of 0 to 255', background);
    }
  }
  if (maxPixels !== undefined && !(typeof maxPixels === 'number' && maxPixels > 0)) {
    throw wrong('maxPixels is a number above 0', maxPixels);
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw wrong('signal is an AbortSignal', signal);
  }
}

/** Throws an ImageError where the picture has more pixels than the caller allows. */
export function checkPixels({ width, height }: Size, name: string, options: DecodeOptions): void {
  const { maxPixels = DEFAULT_MAX_PIXELS } = options;
  if (width * height > maxPixels) {
    throw new ImageError(
      'limit',
      `${name}: ${width}x${height} has more than the ${maxPixels} pixels allowed; raise maxPixels to decode it`,
    );
  }
}

/** The header, checked against the limits. */
export function inspect(bytes: Uint8Array, name: string, options: DecodeOptions): ImageHeader {
  const header = readHeader(bytes, name);
  checkPixels(header, name, options);
  return header;
}

/** The picture where this package decodes the format itself, or null. */
export function decodeHere(
  bytes: Uint8Array,
  header: ImageHeader,
  name: string,
): Image<PixelData> | null {
  if (header.format === 'bmp') return decodeBmp(bytes, header, name);
  if (header.format === 'pnm') return decodePnm(bytes, header, name);
  return null;
}

/** Alpha, channels and depth as the caller wants them. */
export function finish(
  image: Image<PixelData>,
  { alpha = 'composite', background, channels }: DecodeOptions,
): Image {
  const bytes = toBytes(image);
  if (bytes.channels === 4 && alpha === 'keep') return bytes;
  const opaque = compositeAlpha(bytes, { background });
  if (channels === 1) return grayscale(opaque);
  return channels === 3 ? toRgb(opaque) : opaque;
}
