// The link by messages, for places without shared memory: commands collect until the present turn of the event loop ends
// (or something is read, or many have collected) and go to the one worker as a batch.

import { CommandBuffer, header } from './commands.ts';
import { failureCode } from './failure.ts';
import { kernelName } from './kernel-names.ts';
import { unwrap, Waiters, type Link, type LinkOptions } from './link.ts';
import type { AnswerRequest, BatchMessage, FromWorker } from './protocol.ts';

/** Words that are sent without waiting for the end of the turn. */
const FULL_BATCH = 65536;

export interface MailOptions extends LinkOptions {
  readonly post: (message: BatchMessage, transfer: readonly ArrayBuffer[]) => void;
  /** Bytes of memory that the commands so far need. */
  readonly memoryBytes: () => number;
}

export class Mail implements Link {
  readonly snapshots = true;
  submitted = 0;
  completed = 0;
  readonly #options: MailOptions;
  readonly #waiters: Waiters<Uint8Array<ArrayBuffer>>;
  #batch = new CommandBuffer();
  #sending = false;
  #closed = false;

  constructor(options: MailOptions) {
    this.#options = options;
    this.#waiters = new Waiters(options.hold, options.release);
  }

  submit(commands: CommandBuffer): void {
    const { words, length } = commands;
    for (let at = 0; at < length; at += words[at + header.words]!) {
      words[at + header.sequence] = ++this.submitted | 0;
    }
    this.#batch.take(commands);
    if (this.#batch.length >= FULL_BATCH) {
      this.#send(null);
    } else if (!this.#sending) {
      this.#sending = true;
      queueMicrotask(() => {
        this.#sending = false;
        if (this.#batch.length > 0) this.#send(null);
      });
    }
  }

  /** What the worker has done is known only from its answers. */
  refresh(): void {
    return undefined;
  }

  fetch(address: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#waiters.wait((token) => this.#send({ token, address, bytes }));
  }

  receive(message: FromWorker): void {
    if (message.kind !== 'answer') return;
    this.completed = unwrap(this.completed, message.completed);
    for (const [kernel, code, value, sequence] of message.failures) {
      this.#options.onFailure({
        sequence: unwrap(this.completed, sequence),
        kernel: kernelName(kernel),
        code: failureCode(code),
        value,
      });
    }
    this.#waiters.answer(message.token, message.data);
  }

  close(error: Error): void {
    this.#closed = true;
    this.#waiters.rejectAll(error);
  }

  #send(answer: AnswerRequest | null): void {
    if (this.#closed) return;
    const words = this.#batch.words.slice(0, this.#batch.length);
    this.#batch.clear();
    const memoryBytes = this.#options.memoryBytes();
    this.#options.post({ kind: 'batch', words, memoryBytes, answer }, [words.buffer]);
  }
}
