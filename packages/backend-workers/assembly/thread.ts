// What a kernel may know of the thread it runs on: its scratch memory, and how to say that its op failed.

let scratchAddress: usize = 0;

/** Bytes of scratch memory that each thread has. */
export const SCRATCH_BYTES: usize = 262144;

/** This thread's own 256 KiB, 64-byte aligned. What a kernel leaves there is gone by its next chunk. */
export function scratch(): usize {
  return scratchAddress;
}

export function setScratch(address: usize): void {
  scratchAddress = address;
}

/**
 * Marks the command of argument address `a` as failed: `code` is one of src/failure.ts, above 0, and `value` the operand at
 * fault. The first call of a command counts. The kernel must go on and finish its chunk without touching memory that is
 * not its own.
 */
export function fail(a: usize, code: i32, value: i32): void {
  if (atomic.cmpxchg<i32>(a - 20, 0, code) == 0) atomic.store<i32>(a - 16, value);
}
