// Pixels to files in browsers, and to what a canvas takes.

import { toRgb } from '../colour/gray.ts';
import { ImageError } from '../errors.ts';
import { checkEncoding, type EncodeOptions } from '../formats/encode.ts';
import { requireBytes, type Image } from '../image.ts';

/** The picture for `putImageData`. Throws an ImageError for 16-bit pictures. */
export function toImageData(image: Image): ImageData {
  requireBytes(image, 'toImageData');
  const { width, height, channels } = image;
  const result = new ImageData(width, height);
  if (channels === 4) {
    result.data.set(image.data);
    return result;
  }
  const { data } = toRgb(image);
  for (let i = 0, out = 0; i < data.length; i += 3, out += 4) {
    result.data[out] = data[i]!;
    result.data[out + 1] = data[i + 1]!;
    result.data[out + 2] = data[i + 2]!;
    result.data[out + 3] = 255;
  }
  return result;
}

/**
 * The bytes of a PNG, JPEG or WebP file. Throws an ImageError: `argument` for formats and qualities that there are not, 16-bit
 * pictures, or JPEG with alpha; `missing` where the browser cannot write the format.
 */
export async function encode(
  image: Image,
  options: EncodeOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const quality = checkEncoding(image, options);
  const { format } = options;
  if (format === 'jpeg' && image.channels === 4) {
    throw new ImageError('argument', 'jpeg holds no alpha; use png, or compositeAlpha first');
  }
  const pixels = toImageData(image);
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  if (!context) throw new ImageError('missing', 'the browser gives no 2D canvas to write by');
  context.putImageData(pixels, 0, 0);
  const type = `image/${format}`;
  const blob = await canvas.convertToBlob({ type, quality: quality / 100 });
  // A browser that lacks a format writes PNG instead.
  if (blob.type !== type) throw new ImageError('missing', `this browser cannot write ${format}`);
  return new Uint8Array(await blob.arrayBuffer());
}
