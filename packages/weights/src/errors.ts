// What goes wrong with weight files. This package imports nothing of Convoke's; the mark makes its errors recognisable to
// `isConvokeError` all the same.

const mark = Symbol.for('convoke.error');

export type WeightsErrorCode =
  /** The bytes are not what the format asks for, or the tensors cannot be stored in it. */
  | 'format'
  /** A value does not fit the type it is to be converted to. */
  | 'range'
  /** The file holds what is not read on purpose, such as a pickled program; the message says what to do instead. */
  | 'refused'
  /** Names or shapes of the file and of what is asked of it do not agree. */
  | 'names'
  /** The hub: what was asked for is no address, path or name that it knows. */
  | 'reference'
  /** The hub: the bytes are not those that the checksum promises. */
  | 'checksum'
  /** The hub: the server cannot be reached, or answers something else than the file. */
  | 'server'
  /** The file cannot be read. */
  | 'read'
  /** The file cannot be written; one that was there before is unchanged. */
  | 'write'
  /** The hub: no place gave the file; the message has the cause of each. */
  | 'network'
  /** The hub: the file is not in the cache, and nothing may be downloaded. */
  | 'offline'
  /** The hub: the file is longer or shorter than it has to be. */
  | 'size'
  /** The hub: the answer is a page, a pointer or nothing instead of a file of weights. */
  | 'content'
  /** The weights' licence has to be accepted first. */
  | 'licence';

export class WeightsError extends Error {
  readonly code: WeightsErrorCode;

  constructor(code: WeightsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = 'WeightsError';
    Object.defineProperty(this, mark, { value: true });
  }
}

/** Throws a WeightsError (`format`, or another code) whose message begins with where the fault lies. */
export type Fail = (message: string, code?: WeightsErrorCode) => never;

export function failing(where: string): Fail {
  return (message, code = 'format') => {
    throw new WeightsError(code, `${where}: ${message}`);
  };
}
