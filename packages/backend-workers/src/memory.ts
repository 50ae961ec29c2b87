// The WebAssembly memory that threads share: how large it may become, and how it is made and grown.

import { BackendError } from '@convoke/backend-api';

import { heapStart, PAGE } from './layout.ts';

/** What a 32-bit address reaches. */
const MOST_MEMORY: number = 4 * 2 ** 30;
const DEFAULT_MEMORY: number = 2 * 2 ** 30;
const LEAST_FOR_HEAP = 2 ** 20;

export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE);
}

/** The number of bytes that `maxMemory` allows, whole pages. Throws a BackendError where it is not usable. */
export function memoryLimit(maxMemory: number | undefined, threads: number): number {
  const bytes = maxMemory ?? DEFAULT_MEMORY;
  const least = heapStart(threads) + LEAST_FOR_HEAP;
  if (!(bytes >= least && bytes <= MOST_MEMORY)) {
    throw new BackendError(
      'backend-unavailable',
      `workers: maxMemory must be from ${least} bytes (for ${threads} threads) to ${MOST_MEMORY} (4 GiB), got ${bytes}`,
    );
  }
  return Math.floor(bytes / PAGE) * PAGE;
}

/**
 * A shared memory that may grow to `limit` bytes. Address space is reserved at once, which a small machine may refuse: then
 * to as much as it gives, unless the limit was the user's.
 */
export function createSharedMemory(
  initial: number,
  limit: number,
  insist: boolean,
): { memory: WebAssembly.Memory; limit: number } {
  for (let bytes = limit; ; bytes = Math.max(initial, Math.floor(bytes / 2 / PAGE) * PAGE)) {
    try {
      const memory = new WebAssembly.Memory({
        initial: pagesFor(initial),
        maximum: pagesFor(bytes),
        shared: true,
      });
      return { memory, limit: bytes };
    } catch (cause) {
      if (insist || bytes <= initial) {
        throw new BackendError(
          'backend-memory',
          `workers: this machine does not reserve ${bytes} bytes of address space for shared memory; pass a smaller maxMemory`,
          { cause },
        );
      }
    }
  }
}

/** Grows `memory` to at least `end` bytes; false where the machine refuses. */
export function growMemory(memory: WebAssembly.Memory, end: number): boolean {
  const missing = pagesFor(end) - memory.buffer.byteLength / PAGE;
  if (missing <= 0) return true;
  try {
    memory.grow(missing);
    return true;
  } catch {
    return false;
  }
}
