// Pixels to files on Node.

import { ImageError } from '../errors.ts';
import { checkEncoding, type EncodeOptions } from '../formats/encode.ts';
import type { Image, PixelData } from '../image.ts';
import { firstLine, loadSharp } from './sharp.ts';

/**
 * The bytes of a PNG (8 or 16 bits, alpha kept), JPEG or WebP file. Throws an ImageError: `argument` for formats and qualities
 * that there are not, or for pictures that the format cannot hold (JPEG and WebP have 8 bits, JPEG no alpha); `missing` where
 * sharp is not installed.
 */
export async function encode(
  image: Image<PixelData>,
  options: EncodeOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const quality = checkEncoding(image, options);
  const { format } = options;
  const { width, height, channels, data } = image;
  const deep = data instanceof Uint16Array;
  if (format !== 'png' && deep) {
    throw new ImageError('argument', `${format} holds 8 bits a value; use png, or toBytes first`);
  }
  if (format === 'jpeg' && channels === 4) {
    throw new ImageError('argument', 'jpeg holds no alpha; use png, or compositeAlpha first');
  }
  const sharp = await loadSharp();
  const grey = channels === 1;
  const pipeline = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  const space = deep ? (grey ? 'grey16' : 'rgb16') : grey ? 'b-w' : 'srgb';
  try {
    const output = pipeline.toColourspace(space);
    const bytes = await (
      format === 'png'
        ? output.png()
        : format === 'jpeg'
          ? output.jpeg({ quality, chromaSubsampling: quality >= 90 ? '4:4:4' : '4:2:0' })
          : output.webp({ quality })
    ).toBuffer();
    return Uint8Array.from(bytes);
  } catch (cause) {
    throw new ImageError(
      'write',
      `a picture of ${width}x${height} cannot be written as ${format} (${firstLine(cause)})`,
      { cause },
    );
  }
}
