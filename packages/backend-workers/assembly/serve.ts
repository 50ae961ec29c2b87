// The loop every worker runs. All threads walk the same ring of commands; a command's chunks are claimed one by one from a
// counter in the command itself, and whoever completes the last chunk moves `current` on. So nobody waits for a thread
// that sleeps, and commands run strictly in order.
//
// Layout and meaning of the control words and of a command's header: src/commands.ts. A thread announces the command it
// looks at in its own control word (position | 1) and looks again whether that command is still the current one: only then
// may it touch the command, and the caller does not write over what is announced.

import { setScratch } from './thread';

export * from './generated/kernels';

const TAIL: usize = 0;
const CURRENT: usize = 128;
const COMPLETED: usize = 132;
const SLEEPERS: usize = 256;
const WAITERS: usize = 384;
const FAILURES: usize = 512;
const END: usize = 644;
const ANNOUNCED: usize = 768;

const CHUNKS: usize = 4;
const WORDS: usize = 8;
const FAILURE: usize = 12;
const CLAIMED: usize = 20;
const DONE: usize = 24;
const SEQUENCE: usize = 28;
const HEADER: usize = 32;

export function heapBase(): usize {
  return __heap_base;
}

export function start(scratchAddress: usize): void {
  setScratch(scratchAddress);
}

/** Runs one chunk of one kernel, given by its place in the table of functions (codegen/index.mjs). */
export function call(kernel: i32, a: usize, chunk: i32): void {
  call_indirect<void>(kernel, a, chunk);
}

/**
 * Executes commands. With `stay` it returns only when the caller ends it: after `spins` looks at an idle ring it sleeps until
 * the caller notifies. Without, it returns once all submitted commands have run.
 */
export function serve(
  control: usize,
  ring: usize,
  ringWords: i32,
  thread: i32,
  spins: i32,
  stay: bool,
): void {
  const mask = ringWords - 1;
  const announced = control + ANNOUNCED + ((<usize>thread) << 7);
  for (;;) {
    const position = atomic.load<i32>(control + CURRENT);
    const tail = atomic.load<i32>(control + TAIL);
    // Looked at after the tail, which the caller moves to wake sleepers when it ends the loop.
    if (atomic.load<i32>(control + END) != 0) return;
    if (position == tail) {
      atomic.store<i32>(announced, 0);
      if (!stay) return;
      awaitChange(control + TAIL, control + SLEEPERS, position, spins);
      continue;
    }
    atomic.store<i32>(announced, position | 1);
    if (atomic.load<i32>(control + CURRENT) != position) continue;

    const command = ring + ((<usize>(position & mask)) << 2);
    const next = position + load<i32>(command, WORDS);
    const chunks = load<i32>(command, CHUNKS);
    if (chunks == 0) {
      atomic.cmpxchg<i32>(control + CURRENT, position, next);
      continue;
    }
    if (run(command, chunks)) {
      if (atomic.load<i32>(command + FAILURE) != 0) atomic.add<i32>(control + FAILURES, 1);
      atomic.store<i32>(control + COMPLETED, load<i32>(command, SEQUENCE));
      atomic.store<i32>(control + CURRENT, next);
      if (atomic.load<i32>(control + WAITERS) != 0) atomic.notify(control + CURRENT, -1);
    } else {
      atomic.store<i32>(announced, 0);
      awaitChange(control + CURRENT, control + WAITERS, position, spins);
    }
  }
}

/** Claims and runs chunks while there are any; says whether the last one to be completed was ours. */
function run(command: usize, chunks: i32): bool {
  const kernel = load<i32>(command);
  const a = command + HEADER;
  let completed = 0;
  while (atomic.load<i32>(command + CLAIMED) < chunks) {
    const chunk = atomic.add<i32>(command + CLAIMED, 1);
    if (chunk >= chunks) break;
    call_indirect<void>(kernel, a, chunk);
    completed++;
  }
  if (completed == 0) return false;
  return atomic.add<i32>(command + DONE, completed) + completed == chunks;
}

/** Returns once the word at `address` is no longer `old`: looks `spins` times, then sleeps, counted in `sleepers`. */
function awaitChange(address: usize, sleepers: usize, old: i32, spins: i32): void {
  for (let i = 0; i < spins; i++) {
    if (atomic.load<i32>(address) != old) return;
  }
  atomic.add<i32>(sleepers, 1);
  atomic.wait<i32>(address, old, -1);
  atomic.sub<i32>(sleepers, 1);
}
