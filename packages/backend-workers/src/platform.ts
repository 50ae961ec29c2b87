// Which platform this is: Node (or a platform with its modules) or a browser.

import type * as NodeThreadsModule from 'node:worker_threads';

export type NodeThreads = typeof NodeThreadsModule;

/** Node's worker_threads, where there are any. Got without an import, so that bundlers for browsers see none. */
export function nodeThreads(): NodeThreads | undefined {
  return typeof process === 'undefined' || !process.versions?.node
    ? undefined
    : process.getBuiltinModule?.('node:worker_threads');
}

/** Whether this thread may block: any but a page's own. */
export function mayBlock(): boolean {
  try {
    return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0) === 'not-equal';
  } catch {
    return false;
  }
}
