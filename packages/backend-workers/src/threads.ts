// The worker threads of one engine: started together, told apart by number, ended together. One that dies takes the
// engine with it.

import { BackendError } from '@convoke/backend-api';

import type { FromWorker, StartMessage } from './protocol.ts';
import { nodeThreads } from './platform.ts';
import { startWorker, type CreateWorker, type WorkerPort } from './worker-source.ts';

const MOST_BY_DEFAULT = 8;
const START_MS = 30_000;

/** How many threads an engine has by default: what the machine runs at once, at most 8. */
export function availableThreads(): number {
  const os = nodeThreads() && process.getBuiltinModule('node:os');
  const available = os
    ? os.availableParallelism()
    : (globalThis.navigator?.hardwareConcurrency ?? 1);
  return Math.max(1, Math.min(available, MOST_BY_DEFAULT));
}

export interface PoolOptions {
  readonly count: number;
  readonly createWorker: CreateWorker | undefined;
  /** What workers begin with; made while they load. */
  readonly start: () => Promise<Omit<StartMessage, 'kind' | 'thread' | 'lock'>>;
  readonly onMessage: (message: FromWorker) => void;
  /** Called once, when the first worker dies that was not ended by `terminate`. */
  readonly onDeath: (reason: string) => void;
}

export class Pool {
  readonly #ports: WorkerPort[] = [];
  readonly #locks = new AbortController();
  readonly #onMessage: (message: FromWorker) => void;
  readonly #onDeath: (reason: string) => void;
  #holders = 0;
  #ended = false;

  private constructor({ onMessage, onDeath }: PoolOptions) {
    this.#onMessage = onMessage;
    this.#onDeath = onDeath;
  }

  /** Starts the workers and waits until all of them are ready. Throws a BackendError where one cannot start. */
  static async start(options: PoolOptions): Promise<Pool> {
    const pool = new Pool(options);
    // Only after this turn: all workers are on their way then.
    const beginning = Promise.resolve().then(options.start);
    // Whoever waits for it hears of its failure; nobody does where no worker could be made.
    beginning.catch(() => undefined);
    try {
      const { count, createWorker } = options;
      await Promise.all(
        Array.from({ length: count }, (_, i) => pool.#start(i, createWorker, beginning)),
      );
    } catch (cause) {
      pool.terminate();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new BackendError(
        'backend-unavailable',
        `workers: a worker did not start: ${reason}. In a browser the content security policy must allow the package's worker in worker-src; the option createWorker replaces how workers are made`,
        { cause },
      );
    }
    for (const port of pool.#ports) port.release();
    return pool;
  }

  #start(
    thread: number,
    createWorker: PoolOptions['createWorker'],
    beginning: ReturnType<PoolOptions['start']>,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const lock = `convoke-worker-${crypto.randomUUID?.() ?? Math.random()}`;
      const port = startWorker(createWorker);
      this.#ports.push(port);
      const patience = setTimeout(
        () => reject(new Error(`it did not answer within ${START_MS / 1000} seconds`)),
        START_MS,
      );
      port.onMessage((message) => {
        if (message.kind === 'ready') {
          clearTimeout(patience);
          if (message.locked) this.#watch(lock);
          resolve();
        } else if (message.kind === 'crashed') {
          clearTimeout(patience);
          reject(new Error(message.message));
          this.#died(message.message);
        } else if (!this.#ended) {
          this.#onMessage(message);
        }
      });
      port.onDeath((reason) => {
        clearTimeout(patience);
        reject(new Error(reason));
        this.#died(reason);
      });
      beginning.then(
        (start) => port.post({ kind: 'start', ...start, thread, lock } satisfies StartMessage),
        reject,
      );
    });
  }

  /** A browser tells nobody that a worker has ended, but it frees the worker's lock. */
  #watch(lock: string): void {
    navigator.locks
      .request(lock, { signal: this.#locks.signal }, () => this.#died('it has ended'))
      .catch(() => undefined);
  }

  #died(reason: string): void {
    if (this.#ended) return;
    this.terminate();
    this.#onDeath(reason);
  }

  /** To the only worker of an engine with private memory. */
  post(message: unknown, transfer: readonly ArrayBuffer[]): void {
    this.#ports[0]!.post(message, transfer);
  }

  /** Keeps the process alive (Node) until as many calls of `release`. */
  hold(): void {
    if (this.#holders++ === 0) for (const port of this.#ports) port.hold();
  }

  release(): void {
    if (--this.#holders === 0) for (const port of this.#ports) port.release();
  }

  terminate(): void {
    this.#ended = true;
    this.#locks.abort();
    for (const port of this.#ports) port.terminate();
  }
}
