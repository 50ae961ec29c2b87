// Who frees tensors. A scope releases all that was made in it and neither returned nor kept. Browsers have no async context,
// so an async function wraps what it does after an await in `s.run(() => ...)`: two tasks cannot free each other's tensors.

import { DataError } from '@convoke/backend-api';

import { isTensor } from './kinds.ts';
import { isThenable } from './synchronous.ts';
import type { Tensor } from './tensor.ts';

export interface Scope {
  /** Runs `f` with this scope current: what it makes is freed when the scope ends. */
  run<T>(f: () => T): T;
  /** Takes a tensor out of this scope; its owner is then the caller. */
  keep<T extends Tensor>(tensor: T): T;
}

class LiveScope implements Scope {
  readonly made = new Set<Tensor>();
  readonly #parent: LiveScope | null;
  #ended = false;

  constructor(parent: LiveScope | null) {
    this.#parent = parent;
  }

  run<T>(f: () => T): T {
    if (this.#ended) {
      throw new DataError(
        'scope: run() was called after the scope had ended; await all work of the async function before it returns',
      );
    }
    return within(this, f);
  }

  keep<T extends Tensor>(tensor: T): T {
    this.made.delete(tensor);
    return tensor;
  }

  /** Hands the tensors in `result` to the scope around this one and frees the rest. */
  end(result: unknown): void {
    this.#ended = true;
    let outer = this.#parent;
    while (outer !== null && outer.#ended) outer = outer.#parent;
    for (const tensor of tensorsIn(result)) {
      if (this.made.delete(tensor)) outer?.made.add(tensor);
    }
    const failures: unknown[] = [];
    for (const tensor of this.made) {
      try {
        tensor.dispose();
      } catch (error) {
        failures.push(error);
      }
    }
    this.made.clear();
    if (failures.length > 0) throw failures[0];
  }

  /** Frees everything after `error`, which is told whatever else fails, and throws it. */
  fail(error: unknown): never {
    try {
      this.end(undefined);
    } catch {
      // A backend that cannot release any more: the first error says more.
    }
    throw error;
  }
}

let active: LiveScope | null = null;

function within<T>(current: LiveScope, f: () => T): T {
  const before = active;
  active = current;
  try {
    return f();
  } finally {
    active = before;
  }
}

/** The tensors of a result: itself, or those in (nested) arrays, maps and plain objects. */
function* tensorsIn(value: unknown): Generator<Tensor> {
  if (typeof value !== 'object' || value === null) return;
  if (isTensor(value)) yield value;
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item);
  else if (value instanceof Map) for (const item of value.values()) yield* tensorsIn(item);
  else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) yield* tensorsIn(item);
  }
}

/** Notes a new tensor in the current scope. */
export function track(tensor: Tensor): void {
  active?.made.add(tensor);
}

export function untrack(tensor: Tensor): void {
  active?.made.delete(tensor);
}

/**
 * Runs `f` and releases every tensor made in it that is neither in its result (a tensor, or arrays, maps and objects of
 * them) nor kept. An async `f` is tracked up to its first await; later work goes through `s.run`.
 */
export function scope<T>(f: (s: Scope) => T): T {
  const own = new LiveScope(active);
  let result: T;
  try {
    result = own.run(() => f(own));
  } catch (error) {
    return own.fail(error);
  }
  if (!isThenable(result)) {
    own.end(result);
    return result;
  }
  return Promise.resolve(result).then(
    (value: unknown) => {
      own.end(value);
      return value;
    },
    (error: unknown) => own.fail(error),
  ) as T;
}

/** Takes a tensor out of the current scope, so that it outlives it; disposing it is then the caller's part. */
export function keep<T extends Tensor>(tensor: T): T {
  untrack(tensor);
  return tensor;
}
