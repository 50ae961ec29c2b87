// Assertions of the cases: any failure is an Error whose message says what was expected of whom.

import {
  formatShape,
  isConvokeError,
  sameSpec,
  formatSpec,
  type Backend,
  type Data,
  type Handle,
  type Spec,
} from '@convoke/backend-api';

import type { NaiveValue } from './naive/index.ts';

export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = isConvokeError(error) ? ` (code '${error.code}')` : '';
  return `${error.name}${code}: ${error.message}`;
}

function expectCode(
  what: string,
  error: unknown,
  codes: readonly string[],
): asserts error is Error {
  check(
    isConvokeError(error) && (codes.length === 0 || codes.includes(error.code)),
    `${what}: expected an error of Convoke${codes.length > 0 ? ` with code '${codes.join("' or '")}'` : ''}, got ${describeError(error)}`,
  );
}

/** Checks that `f` throws, or returns a promise that rejects with, an error of Convoke with one of `codes` (any if none given). */
export async function fails(
  what: string,
  f: () => unknown,
  ...codes: readonly string[]
): Promise<Error> {
  try {
    await f();
  } catch (error) {
    expectCode(what, error, codes);
    return error;
  }
  throw new Error(`${what}: expected an error, got none`);
}

/** As `fails`, for what must be thrown at once. */
export function throws(what: string, f: () => unknown, ...codes: readonly string[]): void {
  try {
    f();
  } catch (error) {
    expectCode(what, error, codes);
    return;
  }
  throw new Error(`${what}: expected it to throw at once, but it did not`);
}

export function sameSpecs(what: string, actual: Spec, expected: Spec): void {
  check(
    sameSpec(actual, expected),
    `${what}: got ${formatSpec(actual)}, expected ${formatSpec(expected)}`,
  );
}

const arrays = {
  float32: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Distance in units of meaning: 0 where both are NaN or the same infinity. */
function distance(actual: number, expected: number): number {
  if (Object.is(actual, expected) || actual === expected) return 0;
  const difference = Math.abs(actual - expected);
  return Number.isNaN(difference) ? Infinity : difference;
}

/** Checks data read from a backend, its length and array type included, against a reference. */
export function close(
  what: string,
  actual: Data,
  { spec, data: expected }: NaiveValue,
  tolerance: number,
): void {
  check(
    actual instanceof arrays[spec.dtype],
    `${what}: reading ${formatSpec(spec)} gave a ${actual.constructor.name}, expected a ${arrays[spec.dtype].name}`,
  );
  check(
    actual.length === expected.length,
    `${what}: reading ${formatSpec(spec)} gave ${actual.length} elements, expected ${expected.length}`,
  );
  let worst = 0;
  let where = -1;
  for (const [i, value] of expected.entries()) {
    // What float32 cannot hold is an infinity there.
    const overflow = spec.dtype === 'float32' && !Number.isFinite(Math.fround(value));
    const error = distance(actual[i]!, overflow ? Math.fround(value) : value);
    if (error > worst) [worst, where] = [error, i];
  }
  check(
    worst <= tolerance,
    `${what}: element ${where} of ${formatShape(spec.shape)} is ${actual[where]}, expected ${expected[where]}; off by ${worst.toExponential(2)}, allowed ${tolerance.toExponential(2)}`,
  );
}

/** Checks that two readings are the same to the bit. */
export function sameBits(what: string, actual: Data, expected: Data): void {
  const [a, b] = [actual, expected].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  ) as [Uint8Array, Uint8Array];
  check(a.length === b.length, `${what}: ${a.length} bytes against ${b.length}`);
  const where = a.findIndex((byte, i) => byte !== b[i]);
  const element = Math.floor(where / actual.BYTES_PER_ELEMENT);
  check(
    where < 0,
    `${what}: element ${element} is ${actual[element]} against ${expected[element]}; expected the same bits`,
  );
}

/** Uploads float32 numbers; a vector unless a shape is given. */
export function put(
  backend: Backend,
  values: readonly number[],
  shape: readonly number[] = [values.length],
): Handle {
  return backend.upload({ shape, dtype: 'float32' }, Float32Array.from(values));
}

/** Reads and checks small numbers that every backend must get right to a few units. */
export async function holds(
  what: string,
  backend: Backend,
  handle: Handle,
  values: readonly number[],
): Promise<void> {
  const expected = { spec: handle.spec, data: Float64Array.from(values) };
  const size = Math.max(1, ...values.map(Math.abs));
  close(what, await backend.read(handle), expected, 8 * backend.capabilities.epsilon * size);
}

/** A read to be awaited later: should it fail before, that is no unhandled rejection. */
export function pendingRead(backend: Backend, handle: Handle): Promise<Data> {
  const pending = backend.read(handle);
  pending.catch(() => undefined);
  return pending;
}

export function release(backend: Backend, ...handles: readonly Handle[]): void {
  for (const handle of handles) backend.release(handle);
}
