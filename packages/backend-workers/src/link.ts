// The way of commands to the workers and of answers back. Two kinds: a ring in shared memory, and messages to one worker
// with a memory of its own.

import type { BackendError } from '@convoke/backend-api';

import type { CommandBuffer } from './commands.ts';
import type { Failure } from './failure.ts';
import type { FromWorker } from './protocol.ts';

export interface Link {
  /** Commands submitted so far: the sequence number of the last one. */
  readonly submitted: number;
  /** Commands known to have run; moves on with `refresh`, answers and waits. */
  readonly completed: number;
  /** Whether `fetch` sees memory as of its call. If not, the caller sees to it that later commands leave it alone. */
  readonly snapshots: boolean;

  /** Takes the commands out of the buffer, to run after all earlier ones. */
  submit(commands: CommandBuffer): void;
  /** Looks at how far the workers are, and hands on new failures. */
  refresh(): void;
  /** A copy of memory once all that was submitted has run. */
  fetch(address: number, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Blocks until all that was submitted has run, where this thread may block. */
  wait?(): void;
  /** Memory that the caller may read and write by itself, once no command uses it. */
  bytes?(address: number, length: number): Uint8Array;
  receive(message: FromWorker): void;
  /** Ends it: all that waits is rejected with the error. */
  close(error: Error): void;
}

export interface LinkOptions {
  readonly onFailure: (failure: Failure) => void;
  /** Keep the process alive until `release`, as answers are waited for. */
  readonly hold: () => void;
  readonly release: () => void;
  /** Called where a blocking wait finds that the workers are dead. Returns the error to throw. */
  readonly lost: (reason: string) => BackendError;
}

interface Waiter<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** Promises that wait for an answer with their token; while there are any, the process stays alive. */
export class Waiters<Answer> {
  readonly #waiting = new Map<number, Waiter<Answer>>();
  readonly #hold: () => void;
  readonly #release: () => void;
  #next = 0;

  constructor(hold: () => void, release: () => void) {
    this.#hold = hold;
    this.#release = release;
  }

  get count(): number {
    return this.#waiting.size;
  }

  /** A promise for the answer to the token that `ask` is called with. */
  wait(ask: (token: number) => void): Promise<Answer> {
    const token = (this.#next = (this.#next + 1) | 0);
    return new Promise((resolve, reject) => {
      this.#hold();
      this.#waiting.set(token, { resolve, reject });
      try {
        ask(token);
      } catch (error) {
        if (this.#waiting.delete(token)) this.#release();
        reject(error as Error);
      }
    });
  }

  answer(token: number, answer: Answer): void {
    const waiter = this.#waiting.get(token);
    if (!waiter) return;
    this.#waiting.delete(token);
    this.#release();
    waiter.resolve(answer);
  }

  rejectAll(error: Error): void {
    const waiters = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiter of waiters) {
      this.#release();
      waiter.reject(error);
    }
  }
}

/** The number at or above `known` whose low 32 bits are `word`: counters in memory wrap. */
export function unwrap(known: number, word: number): number {
  return known + ((word - (known | 0)) | 0);
}
