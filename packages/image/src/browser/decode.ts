// Files and drawables to pixels in browsers. The header is read first, here, and what the browser would show of a damaged file
// is refused.

import { ImageError } from '../errors.ts';
import type { ImageHeader } from '../formats/header.ts';
import { checkComplete } from '../formats/integrity.ts';
import {
  checkDecoding,
  checkPixels,
  decodeHere,
  finish,
  inspect,
  type DecodeOptions,
} from '../formats/options.ts';
import { grayscale } from '../colour/gray.ts';
import { Image, type PixelData, type Size } from '../image.ts';
import {
  bytesOf,
  isFile,
  nameOf,
  naturalSize,
  type DrawableSource,
  type ImageSource,
} from './source.ts';

export type { ImageSource } from './source.ts';

/**
 * The picture in a JPEG, PNG, WebP, GIF (its first frame), BMP or PNM file, or what a bitmap, canvas, image element or video
 * shows now, upright. A string is an address. With `alpha: 'keep'` pictures that have a transparent pixel come with four channels; the
 * colours of half-transparent pixels went through the browser's premultiplied alpha.
 *
 * Throws an ImageError that names the picture: `read` where it cannot be fetched or the page may not see its pixels, `format`
 * where it is damaged or of another format, `limit` where it has more pixels than allowed, `argument` for sources and options
 * that there are not. Aborts reject with the signal's reason.
 */
export async function decode(source: ImageSource, options: DecodeOptions = {}): Promise<Image> {
  checkDecoding(options);
  const { name = nameOf(source), signal } = options;
  signal?.throwIfAborted();
  const image = isFile(source)
    ? await decodeFile(await bytesOf(source, name, signal), name, options)
    : await readDrawable(source, name, options);
  signal?.throwIfAborted();
  return finish(image, options);
}

async function decodeFile(
  bytes: Uint8Array,
  name: string,
  options: DecodeOptions,
): Promise<Image<PixelData>> {
  const header = inspect(bytes, name, options);
  const here = decodeHere(bytes, header, name);
  if (here) return here;
  checkComplete(bytes, header, name);
  const bitmap = await bitmapOf(bytes, header, name);
  try {
    const image = readPixels(bitmap, bitmap, name);
    return header.grey && image.channels === 3 ? grayscale(image) : image;
  } finally {
    bitmap.close();
  }
}

async function bitmapOf(
  bytes: Uint8Array,
  { format }: ImageHeader,
  name: string,
): Promise<ImageBitmap> {
  try {
    const blob = new Blob([bytes as Uint8Array<ArrayBuffer>], { type: `image/${format}` });
    return await createImageBitmap(blob, {
      imageOrientation: 'from-image',
      colorSpaceConversion: 'none',
      premultiplyAlpha: 'none',
    });
  } catch (cause) {
    throw new ImageError(
      'format',
      `${name}: a damaged or unreadable ${format.toUpperCase()} file (${(cause as Error).message})`,
      { cause },
    );
  }
}

async function readDrawable(
  source: DrawableSource | ImageData,
  name: string,
  options: DecodeOptions,
): Promise<Image> {
  if (source instanceof ImageData) {
    checkPixels(source, name, options);
    return withoutOpaqueAlpha(source);
  }
  const size = await naturalSize(source, name);
  if (size.width === 0 || size.height === 0) {
    throw new ImageError(
      'read',
      `${name}: nothing to see, its size is ${size.width}x${size.height}`,
    );
  }
  checkPixels(size, name, options);
  return readPixels(source, size, name);
}

/** Draws and reads back. */
function readPixels(source: DrawableSource, { width, height }: Size, name: string): Image {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context)
    throw new ImageError('missing', `${name}: the browser gives no 2D canvas to read it by`);
  try {
    context.drawImage(source, 0, 0, width, height);
    return withoutOpaqueAlpha(context.getImageData(0, 0, width, height));
  } catch (cause) {
    const { name: kind, message } = cause as DOMException;
    const hint =
      kind === 'SecurityError'
        ? "the page may not read another site's pixels; load it with crossOrigin, from a server that allows it"
        : message;
    throw new ImageError('read', `${name}: its pixels cannot be read (${hint})`, { cause });
  }
}

/** RGB where every pixel is opaque. */
function withoutOpaqueAlpha({ width, height, data }: ImageData): Image {
  for (let i = 3; i < data.length; i += 4) {
    if (data[i] !== 255) {
      return new Image({ width, height, channels: 4, data: Uint8Array.from(data) });
    }
  }
  const image = new Image({ width, height, channels: 3 });
  for (let i = 0, out = 0; i < data.length; i += 4, out += 3) {
    image.data[out] = data[i]!;
    image.data[out + 1] = data[i + 1]!;
    image.data[out + 2] = data[i + 2]!;
  }
  return image;
}
