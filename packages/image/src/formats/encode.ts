// What encoding takes on every platform.

import { ImageError } from '../errors.ts';
import type { Image, PixelData } from '../image.ts';

export interface EncodeOptions {
  readonly format: 'png' | 'jpeg' | 'webp';
  /** Of JPEG and lossy WebP, 1 to 100. Default: 90. */
  readonly quality?: number | undefined;
}

/** The quality to use. Throws an ImageError for what is no picture, and for unknown formats and qualities. */
export function checkEncoding(image: Image<PixelData>, options: EncodeOptions): number {
  if (typeof image?.width !== 'number' || !ArrayBuffer.isView(image.data)) {
    throw new ImageError('argument', 'encode takes an Image first');
  }
  if (typeof options !== 'object' || options === null) {
    throw new ImageError(
      'argument',
      `encode takes { format: 'png', 'jpeg' or 'webp' } after the picture, not ${options}`,
    );
  }
  const { format, quality = 90 } = options;
  if (format !== 'png' && format !== 'jpeg' && format !== 'webp') {
    throw new ImageError('argument', `the format is png, jpeg or webp, not '${String(format)}'`);
  }
  if (!(typeof quality === 'number' && quality >= 1 && quality <= 100)) {
    throw new ImageError('argument', `the quality is a number of 1 to 100, not ${quality}`);
  }
  return Math.round(quality);
}
