// Where things lie in the WebAssembly memory:
//
//   0        static data of the kernels (codegen checks that it ends before CONTROL)
//   CONTROL  control words
//   RING     commands
//   SCRATCH  scratch memory of each thread
//            heap: what the allocator hands out

import { CONTROL_BYTES } from './commands.ts';

export const PAGE = 65536;
export const CONTROL: number = 2 ** 16;
export const RING: number = CONTROL + CONTROL_BYTES;
/** A power of two. */
export const RING_WORDS: number = 2 ** 19;
export const SCRATCH: number = RING + RING_WORDS * 4;
/** Of one thread; as in assembly/thread.ts. */
export const SCRATCH_BYTES = 262144;

export function heapStart(threads: number): number {
  return SCRATCH + threads * SCRATCH_BYTES;
}
