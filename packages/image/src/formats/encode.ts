// What encoding takes on every platform.

import { ImageError } from '../errors.ts';

export interface EncodeOptions {
  readonly format: 'png' | 'jpeg' | 'webp';
  /** Of JPEG and lossy WebP, 1 to 100. Default: 90. */
  readonly quality?: number | undefined;
}

/** The quality to use. Throws an ImageError for unknown formats and qualities. */
export function checkEncoding({ format, quality = 90 }: EncodeOptions): number {
  if (format !== 'png' && format !== 'jpeg' && format !== 'webp') {
    throw new ImageError('argument', `the format is png, jpeg or webp, not '${String(format)}'`);
  }
  if (!(quality >= 1 && quality <= 100)) {
    throw new ImageError('argument', `the quality is a number of 1 to 100, not ${quality}`);
  }
  return Math.round(quality);
}
