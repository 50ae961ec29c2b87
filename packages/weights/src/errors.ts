// What goes wrong with weight files. This package imports nothing of Convoke's; the mark makes its errors recognisable to
// `isConvokeError` all the same.

const mark = Symbol.for('convoke.error');

export type WeightsErrorCode =
  /** The bytes are not what the format asks for, or the tensors cannot be stored in it. */
  | 'format'
  /** A value does not fit the type it is to be converted to. */
  | 'range'
  /** The file cannot be read. */
  | 'read'
  /** The file cannot be written; one that was there before is unchanged. */
  | 'write';

export class WeightsError extends Error {
  readonly code: WeightsErrorCode;

  constructor(code: WeightsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = 'WeightsError';
    Object.defineProperty(this, mark, { value: true });
  }
}
