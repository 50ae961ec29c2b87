// What goes wrong with pictures. This package imports nothing of Convoke's; the mark makes its errors recognisable to
// `isConvokeError` all the same.

const mark = Symbol.for('convoke.error');

export type ImageErrorCode =
  /** The bytes are no picture of a known format, or damaged. */
  | 'format'
  /** The picture is larger than what the caller allows. */
  | 'limit'
  /** An argument does not fit the picture or the operation. */
  | 'argument'
  /** What the operation needs is not installed, or this platform lacks it. */
  | 'missing'
  /** The file or address cannot be read. */
  | 'read'
  /** The picture cannot be written in the format. */
  | 'write';

export class ImageError extends Error {
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = 'ImageError';
    Object.defineProperty(this, mark, { value: true });
  }
}
