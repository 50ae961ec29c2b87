// Whether ops are put on the tape.

import { expectSync } from './synchronous.ts';

let enabled = true;

export function isGradEnabled(): boolean {
  return enabled;
}

function withMode<T>(mode: boolean, name: string, f: () => T): T {
  const before = enabled;
  enabled = mode;
  try {
    return expectSync(name, f());
  } finally {
    enabled = before;
  }
}

/** Runs `f` without noting its ops for gradients. Throws a DataError where `f` is async. */
export function noGrad<T>(f: () => T): T {
  return withMode(false, 'noGrad', f);
}

/** Runs `f` with ops noted for gradients, also within noGrad. Throws a DataError where `f` is async. */
export function enableGrad<T>(f: () => T): T {
  return withMode(true, 'enableGrad', f);
}
