// The door by which host values come in, and which backend they go to.

import { current, type Backend, type Data, type Spec } from '@convoke/backend-api';

import { expectSync } from './synchronous.ts';
import { Tensor } from './tensor.ts';

let override: Backend | null = null;

/** The backend that new tensors go to: the registry's current one, or that of the computation being decomposed. */
export function currentBackend(): Backend {
  return override ?? current();
}

/** The recorder that everything goes to now, tensors of other backends included; null outside of `onBackend(recorder)`. */
export function currentRecorder(): Backend | null {
  return override?.capture ? override : null;
}

/** Whether a tensor stands for a value in a program that is being recorded, and has none itself. */
export function isSymbolic({ backend }: Tensor): boolean {
  return backend.capture !== undefined;
}

/**
 * Runs `f` with new tensors going to `backend`. On a recorder, ops on tensors of other backends are recorded too. Throws a
 * DataError where `f` is async.
 */
export function onBackend<T>(backend: Backend, f: () => T): T {
  const before = override;
  override = backend;
  try {
    return expectSync('onBackend', f());
  } finally {
    override = before;
  }
}

/** A tensor of `data` (copied), in C order. */
export function fromHost(spec: Spec, data: Data, backend: Backend = currentBackend()): Tensor {
  return new Tensor(backend, backend.upload(spec, data));
}
