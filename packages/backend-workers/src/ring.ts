// The link through shared memory: commands are written into a ring that the workers walk. Where the ring is full, a thread
// that may block waits for room; a page's own thread keeps the commands in a queue that is emptied as the workers go on.

import { CommandBuffer, control, CONTROL_BYTES, header } from './commands.ts';
import { failureCode } from './failure.ts';
import { kernelName, kernelNumber } from './kernel-names.ts';
import { CONTROL, RING, RING_WORDS } from './layout.ts';
import { unwrap, Waiters, type Link, type LinkOptions } from './link.ts';
import { mayBlock } from './platform.ts';
import type { FromWorker } from './protocol.ts';

const MASK = RING_WORDS - 1;
/** The longest command; a longer one could need more than the ring when it does not fit before its end. */
const MOST_WORDS = RING_WORDS / 4;
/** Below this many words a loop copies faster than `set` with its view. */
const SMALL_COMMAND = 48;
/** A blocked caller looks anew after this time even if nobody wakes it. */
const NAP_MS = 100;
/** No single chunk takes so long: without any progress the workers are dead. */
const PATIENCE_MS = 30_000;

export interface RingOptions extends LinkOptions {
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  /** Whether the calling thread may block; by default it is found out. */
  readonly blocking?: boolean;
}

export class Ring implements Link {
  readonly snapshots = false;
  submitted = 0;
  completed = 0;
  readonly wait?: () => void;
  readonly #memory: WebAssembly.Memory;
  readonly #control: Int32Array;
  readonly #ring: Int32Array;
  readonly #threads: number;
  readonly #blocking: boolean;
  readonly #options: LinkOptions;
  readonly #waiters: Waiters<void>;
  readonly #notices = new CommandBuffer();
  readonly #noticeKernel = kernelNumber('notice');
  /**
   * Positions: where the next command goes, where the ring must not be written beyond, which command ran when we last
   * looked, and how far failures were sought.
   */
  #write = 0;
  #limit = RING_WORDS;
  #current = 0;
  #scanned = 0;
  #failuresFound = 0;
  #queue: Int32Array[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: RingOptions) {
    const { memory, threads } = options;
    this.#memory = memory;
    this.#threads = threads;
    this.#options = options;
    this.#control = new Int32Array(memory.buffer, CONTROL, CONTROL_BYTES / 4);
    this.#ring = new Int32Array(memory.buffer, RING, RING_WORDS);
    this.#waiters = new Waiters(options.hold, options.release);
    this.#blocking = options.blocking ?? mayBlock();
    if (this.#blocking) this.wait = (): void => this.#waitForAll();
  }

  submit(commands: CommandBuffer): void {
    const { words, length } = commands;
    for (let at = 0; at < length;) {
      const size = words[at + header.words]!;
      if (size > MOST_WORDS) {
        throw new Error(`a command of ${size} words is longer than the ${MOST_WORDS} a ring takes`);
      }
      words[at + header.sequence] = ++this.submitted | 0;
      if (this.#queue.length > 0 || !this.#room(size)) this.#queue.push(words.slice(at, at + size));
      else this.#put(words, at, size);
      at += size;
    }
    commands.clear();
    this.#publish();
    if (this.#queue.length > 0) this.#drainLater();
  }

  refresh(): void {
    // In this order: what has run before `current` is counted in `completed`, what failed up to there in `failures`.
    const current = unwrap(this.#current, Atomics.load(this.#control, control.current));
    this.completed = unwrap(this.completed, Atomics.load(this.#control, control.completed));
    if (Atomics.load(this.#control, control.failures) !== this.#failuresFound) this.#collect();
    else this.#scanned = Math.max(this.#scanned, current);
    this.#current = current;
  }

  fetch(address: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const reached = this.#waiters.wait((token) => {
      this.#notices.append(this.#noticeKernel, 1, [token]);
      this.submit(this.#notices);
    });
    return reached.then(() => this.bytes(address, bytes).slice());
  }

  bytes(address: number, length: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.#memory.buffer as unknown as SharedArrayBuffer, address, length);
  }

  receive(message: FromWorker): void {
    if (message.kind !== 'notice') return;
    this.#drain();
    this.refresh();
    this.#waiters.answer(message.token, undefined);
  }

  close(error: Error): void {
    this.#closed = true;
    this.#queue = [];
    clearTimeout(this.#timer);
    this.#stopWorkers();
    this.#waiters.rejectAll(error);
  }

  /** A browser lets a terminated worker go on for seconds unless it comes back from the loop of its own accord. */
  #stopWorkers(): void {
    const words = this.#control;
    Atomics.store(words, control.end, 1);
    Atomics.add(words, control.tail, 1);
    Atomics.notify(words, control.tail);
    Atomics.notify(words, control.current);
  }

  #put(words: Int32Array, at: number, size: number): void {
    let offset = this.#write & MASK;
    if (offset + size > RING_WORDS) {
      // The rest of the ring is too short: a command without chunks covers it.
      const rest = RING_WORDS - offset;
      this.#ring[offset + header.chunks] = 0;
      this.#ring[offset + header.words] = rest;
      this.#ring[offset + header.failure] = 0;
      this.#write += rest;
      offset = 0;
    }
    const ring = this.#ring;
    if (size <= SMALL_COMMAND) {
      for (let i = 0; i < size; i++) ring[offset + i] = words[at + i]!;
    } else {
      ring.set(words.subarray(at, at + size), offset);
    }
    this.#write += size;
  }

  #publish(): void {
    Atomics.store(this.#control, control.tail, this.#write | 0);
    if (Atomics.load(this.#control, control.sleepers) !== 0) {
      Atomics.notify(this.#control, control.tail);
    }
  }

  /** Whether a command of `size` words may be written now. Waits where this thread may. */
  #room(size: number): boolean {
    const offset = this.#write & MASK;
    const needed = offset + size > RING_WORDS ? RING_WORDS - offset + size : size;
    if (this.#write + needed <= this.#limit) return true;
    this.#moveLimit();
    if (this.#write + needed <= this.#limit) return true;
    if (!this.#blocking) return false;
    this.#publish();
    this.#waitUntil(() => {
      this.#moveLimit();
      return this.#write + needed <= this.#limit;
    });
    return true;
  }

  /** What has run and what no thread is looking at any more may be written over. */
  #moveLimit(): void {
    this.refresh();
    let free = this.#current;
    for (let thread = 0; thread < this.#threads; thread++) {
      const word = Atomics.load(this.#control, control.announced + thread * 32);
      if (word !== 0) free = Math.min(free, unwrap(this.#current, word & ~1));
    }
    this.#limit = free + RING_WORDS;
  }

  #waitForAll(): void {
    this.refresh();
    if (this.completed < this.submitted) {
      this.#waitUntil(() => {
        this.refresh();
        return this.completed >= this.submitted;
      });
    }
  }

  /** Blocks until `done`, which is asked whenever a command has run. */
  #waitUntil(done: () => boolean): void {
    const words = this.#control;
    let movedAt = performance.now();
    let before = this.#progress();
    Atomics.add(words, control.waiters, 1);
    try {
      for (;;) {
        const current = Atomics.load(words, control.current);
        if (done()) return;
        if (Atomics.load(words, control.lost) !== 0) {
          throw this.#options.lost('its code ended in an error');
        }
        const now = performance.now();
        const progress = this.#progress();
        if (progress !== before) movedAt = now;
        before = progress;
        if (now - movedAt > PATIENCE_MS) {
          throw this.#options.lost(`no work was done for ${PATIENCE_MS / 1000} seconds`);
        }
        Atomics.wait(words, control.current, current, NAP_MS);
      }
    } finally {
      Atomics.sub(words, control.waiters, 1);
    }
  }

  /** A number that changes whenever a chunk is begun or done. */
  #progress(): number {
    const current = Atomics.load(this.#control, control.current);
    const at = current & MASK;
    return current + this.#ring[at + header.claimed]! + this.#ring[at + header.done]!;
  }

  /** Hands on the failures of commands that have run and were not looked at yet. */
  #collect(): void {
    const ring = this.#ring;
    while (this.#scanned < this.#write) {
      const at = this.#scanned & MASK;
      // What covers the end of the ring has no chunks and no sequence number.
      if (ring[at + header.chunks] !== 0) {
        const sequence = unwrap(this.completed, ring[at + header.sequence]!);
        if (sequence > this.completed) return;
        const code = ring[at + header.failure]!;
        if (code !== 0) {
          this.#failuresFound++;
          this.#options.onFailure({
            sequence,
            kernel: kernelName(ring[at + header.kernel]!),
            code: failureCode(code),
            value: ring[at + header.value]!,
          });
        }
      }
      this.#scanned += ring[at + header.words]!;
    }
  }

  #drain(): void {
    if (this.#queue.length === 0) return;
    let taken = 0;
    for (; taken < this.#queue.length; taken++) {
      const words = this.#queue[taken]!;
      if (!this.#room(words.length)) break;
      this.#put(words, 0, words.length);
    }
    if (taken > 0) {
      this.#queue = this.#queue.slice(taken);
      this.#publish();
    }
    if (this.#queue.length > 0) this.#drainLater();
  }

  #drainLater(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#drain();
    }, 1);
  }
}
