// Modes such as noGrad hold while a function runs; what an async one does after its first await would run outside.

import { DataError } from '@convoke/backend-api';

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
  );
}

/** `result`, unless it shows that the function which `name` ran is async: then throws a DataError. */
export function expectSync<T>(name: string, result: T): T {
  if (!isThenable(result)) return result;
  // What it still does fails unheard: the caller hears of this error instead.
  result.then(undefined, () => undefined);
  throw new DataError(
    `${name}: the function is async, and what it does after its first await would run outside; await first, then call ${name} with a plain function`,
  );
}
