// Files to pixels on Node. The header is read first, here; sharp sees only the formats that this package names, within its limits.

import type { Metadata, Sharp } from 'sharp';

import { ImageError } from '../errors.ts';
import { applyOrientation } from '../formats/exif.ts';
import type { ImageHeader } from '../formats/header.ts';
import { checkComplete } from '../formats/integrity.ts';
import {
  checkDecoding,
  decodeHere,
  finish,
  inspect,
  shown,
  type DecodeOptions,
} from '../formats/options.ts';
import { grayscale, toRgb } from '../colour/gray.ts';
import { Image, type Channels, type PixelData } from '../image.ts';
import { bytesOf, located, nameOf, type ImageSource } from './source.ts';
import { firstLine, loadSharp } from './sharp.ts';

export type { ImageSource } from './source.ts';

export interface DecodeNodeOptions extends DecodeOptions {
  /**
   * 8: sixteen bits are cut to their high byte. 16: sixteen bits as stored, eight bits times 257, without alpha.
   * Default: 8.
   */
  readonly depth?: 8 | 16 | undefined;
  /** Whether to apply the EXIF orientation; browsers always do. Default: true. */
  readonly orient?: boolean | undefined;
}

/**
 * The picture in a JPEG, PNG, WebP, GIF (its first frame), BMP or PNM file, upright, colours as stored (colour profiles are
 * not applied). A string is a path, or an address where it begins with `https:`, `http:`, `file:` or `data:`.
 *
 * Throws an ImageError that names the picture: `read` where it cannot be read, `format` where it is damaged or of another
 * format, `limit` where it has more pixels than allowed, `argument` for sources and options that there are not, `missing` where
 * sharp is not installed. Aborts reject with the signal's reason.
 */
export async function decode(
  source: ImageSource,
  options: DecodeNodeOptions & { readonly depth: 16 },
): Promise<Image<Uint16Array>>;
export async function decode(
  source: ImageSource,
  options?: DecodeNodeOptions & { readonly depth?: 8 | undefined },
): Promise<Image>;
export async function decode(
  source: ImageSource,
  options: DecodeNodeOptions = {},
): Promise<Image<PixelData>> {
  checkDecoding(options);
  const place = located(source);
  const { name = nameOf(place), signal, depth = 8, orient } = options;
  if (depth !== 8 && depth !== 16) {
    throw new ImageError('argument', `depth is 8 or 16, not ${shown(depth)}`);
  }
  if (orient !== undefined && typeof orient !== 'boolean') {
    throw new ImageError('argument', `orient is true or false, not ${shown(orient)}`);
  }
  signal?.throwIfAborted();
  const bytes = await bytesOf(place, name, signal);
  const header = inspect(bytes, name, options);
  const image =
    decodeHere(bytes, header, name) ?? (await bySharp(bytes, header, name, { ...options, depth }));
  signal?.throwIfAborted();
  return depth === 16 ? finishDeep(image, options) : finish(image, options);
}

function finishDeep(image: Image<PixelData>, { channels }: DecodeOptions): Image<Uint16Array> {
  const { width, height, data } = image;
  const deep = new Image<Uint16Array>({
    width,
    height,
    channels: image.channels,
    data: data instanceof Uint16Array ? data : Uint16Array.from(data, (value) => value * 257),
  });
  if (channels === 1) return grayscale(deep);
  return channels === 3 || deep.channels === 4 ? toRgb(deep) : deep;
}

/** sharp's own limit is off: the header has been checked, and `metadata` is checked against it. */
const INPUT = { failOn: 'warning', ignoreIcc: true, limitInputPixels: false } as const;

async function bySharp(
  bytes: Uint8Array,
  header: ImageHeader,
  name: string,
  { orient = true, depth }: DecodeNodeOptions,
): Promise<Image<PixelData>> {
  const sharp = await loadSharp();
  checkComplete(bytes, header, name);
  try {
    const metadata = await sharp(bytes, INPUT).metadata();
    if (metadata.width * metadata.height > header.width * header.height) {
      throw new Error(`two headers of different sizes`);
    }
    const pixels = await (header.cmyk
      ? readCmyk(sharp(bytes, INPUT))
      : readPixels(sharp(bytes, INPUT), header, metadata, depth === 16));
    return orient ? applyOrientation(pixels, metadata.orientation ?? 1) : pixels;
  } catch (cause) {
    throw new ImageError(
      'format',
      `${name}: a damaged or unreadable ${header.format.toUpperCase()} file (${firstLine(cause)})`,
      { cause },
    );
  }
}

async function readPixels(
  input: Sharp,
  { grey, depth }: ImageHeader,
  { hasAlpha }: Metadata,
  deep: boolean,
): Promise<Image<PixelData>> {
  const single = grey && !hasAlpha;
  const sixteen = depth === 16;
  const opaque = sixteen && deep && hasAlpha ? input.removeAlpha() : input;
  const space = sixteen ? (single ? 'grey16' : 'rgb16') : single ? 'b-w' : 'srgb';
  const { data, info } = await opaque
    .toColourspace(space)
    .raw({ depth: sixteen ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  // A copy of its own: sharp's buffer may be larger, and at an odd offset.
  const own = Uint8Array.from(data);
  const values = sixteen ? new Uint16Array(own.buffer) : own;
  return new Image<PixelData>({ width, height, channels: channels as Channels, data: values });
}

/** Without colour profiles: each of RGB is (255 - ink) * (255 - black) / 255. */
async function readCmyk(input: Sharp): Promise<Image> {
  const { data, info } = await input
    .pipelineColourspace('cmyk')
    .toColourspace('cmyk')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 4) throw new Error(`${channels} channels instead of 4 inks`);
  const image = new Image({ width, height, channels: 3 });
  for (let i = 0, out = 0; i < data.length; i += 4) {
    const light = 255 - data[i + 3]!;
    for (let c = 0; c < 3; c++) {
      image.data[out++] = Math.round(((255 - data[i + c]!) * light) / 255);
    }
  }
  return image;
}
