// Every error a user of Convoke can cause, as classes with a machine-readable `code`. Errors are marked by a symbol from
// the global registry, so that `isConvokeError` also recognises those thrown by another copy of this package.

const mark = Symbol.for('convoke.error');

export class ConvokeError extends Error {
  // Literal, here and below: minifiers shorten the names of classes.
  override readonly name: string = 'ConvokeError';
  /** Stable, machine-readable kind, such as `shape` or `backend-lost`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, mark, { value: true });
  }
}

/** Shapes, axes or attributes that do not fit an op. Code `shape`. */
export class ShapeError extends ConvokeError {
  override readonly name: string = 'ShapeError';
  constructor(message: string, options?: ErrorOptions) {
    super('shape', message, options);
  }
}

/** A dtype that an op does not take. Code `dtype`. */
export class DtypeError extends ConvokeError {
  override readonly name: string = 'DtypeError';
  constructor(message: string, options?: ErrorOptions) {
    super('dtype', message, options);
  }
}

export type BackendErrorCode =
  | 'backend-unavailable'
  | 'backend-lost'
  | 'backend-mixed'
  | 'backend-unsupported'
  | 'backend-memory'
  | 'backend-version'
  | 'backend-registry'
  | 'backend-failed';

/** A backend that is missing, lost, mixed with another, out of memory or asked for what it lacks. */
export class BackendError extends ConvokeError {
  override readonly name: string = 'BackendError';
  declare readonly code: BackendErrorCode;
  // oxlint-disable-next-line no-useless-constructor -- it narrows the code to those of backends
  constructor(code: BackendErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** Use of a tensor or backend after its disposal. Code `disposed`. */
export class DisposedError extends ConvokeError {
  override readonly name: string = 'DisposedError';
  constructor(message: string, options?: ErrorOptions) {
    super('disposed', message, options);
  }
}

/** Values that an op or a data set cannot use: ragged arrays, NaN labels, indices out of range. Code `data`. */
export class DataError extends ConvokeError {
  override readonly name: string = 'DataError';
  constructor(message: string, options?: ErrorOptions) {
    super('data', message, options);
  }
}

/** True for an error of Convoke, from whichever copy of whichever package. */
export function isConvokeError(error: unknown): error is ConvokeError {
  return error instanceof Error && (error as unknown as Record<symbol, unknown>)[mark] === true;
}
