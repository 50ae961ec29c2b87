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

/** Throws an ImageError where the picture has more pixels than the caller allows. */
export function checkPixels({ width, height }: Size, name: string, options: DecodeOptions): void {
  const { maxPixels = DEFAULT_MAX_PIXELS } = options;
  if (!(maxPixels > 0)) {
    throw new ImageError('argument', `maxPixels is a number above 0, not ${maxPixels}`);
  }
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
