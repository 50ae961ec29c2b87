// The layout of commands and control words, shared by the caller, the workers and assembly/serve.ts, and the buffer that
// commands are encoded into before they go to the workers as one piece.
//
// A command is a header of 8 words, then the kernel's arguments, padded to a multiple of 8 words:
//   0 kernel   1 chunks (0: nothing to do)   2 words of the whole command   3 failure code   4 failure value
//   5 chunks claimed   6 chunks done   7 sequence number (low 32 bits): how many commands have run once this one has

const HEADER_WORDS = 8;

/** Places of a header's words that the caller reads or writes. */
export const header = {
  kernel: 0,
  chunks: 1,
  words: 2,
  failure: 3,
  value: 4,
  claimed: 5,
  done: 6,
  sequence: 7,
} as const;

/** Bytes of the control words at `control`. */
export const CONTROL_BYTES = 16384;

/** Places of the control words, in 32-bit words: each in cache lines of its own. */
export const control = {
  /** Position in the ring behind the last command submitted. Positions count words and wrap at 32 bits. */
  tail: 0,
  /** Position of the command that runs, equal to the tail when all have run. */
  current: 32,
  /** Sequence number of the last command that has run. */
  completed: 33,
  /** Threads asleep until the tail moves. */
  sleepers: 64,
  /** Threads asleep until `current` moves. */
  waiters: 96,
  /** How many commands have failed. */
  failures: 128,
  /** Set by a worker that ends in an error. */
  lost: 160,
  /** Set by the caller: whoever sees it leaves the loop. What the tail says from then on means nothing. */
  end: 161,
  /** By thread, 32 words apart: position | 1 of the command it may be looking at, or 0. */
  announced: 192,
} as const;

export const MOST_THREADS = 64;

/** Words of a command with so many argument words. */
function commandWords(argumentWords: number): number {
  return (HEADER_WORDS + argumentWords + 7) & ~7;
}

/** Commands in a row, encoded by the caller. */
export class CommandBuffer {
  words: Int32Array<ArrayBuffer> = new Int32Array(1024);
  length = 0;
  count = 0;

  /** Appends a command and returns where its arguments begin in `words`. */
  begin(kernel: number, chunks: number, argumentWords: number): number {
    const at = this.length;
    const size = commandWords(argumentWords);
    if (at + size > this.words.length) this.#enlarge(at + size);
    const { words } = this;
    words[at] = kernel;
    words[at + 1] = chunks;
    words[at + 2] = size;
    words[at + 3] = words[at + 4] = words[at + 5] = words[at + 6] = words[at + 7] = 0;
    this.length = at + size;
    this.count++;
    return at + HEADER_WORDS;
  }

  append(kernel: number, chunks: number, args: readonly number[]): void {
    const at = this.begin(kernel, chunks, args.length);
    const { words } = this;
    for (let i = 0; i < args.length; i++) words[at + i] = args[i]!;
  }

  /** Moves the commands of another buffer to the end of this one. */
  take(other: CommandBuffer): void {
    const end = this.length + other.length;
    if (end > this.words.length) this.#enlarge(end);
    this.words.set(other.words.subarray(0, other.length), this.length);
    this.length = end;
    this.count += other.count;
    other.clear();
  }

  clear(): void {
    this.length = 0;
    this.count = 0;
  }

  #enlarge(length: number): void {
    const larger = new Int32Array(Math.max(length, this.words.length * 2));
    larger.set(this.words);
    this.words = larger;
  }
}
