// The engine: memory, a stream of commands, and the workers that run it. It knows kernels and addresses, nothing of tensors,
// ops or layouts. The calling thread only keeps books and encodes; it never computes.

import { BackendError, DisposedError } from '@convoke/backend-api';

import { Allocator, type AllocatorTotals, type Block } from './allocator.ts';
import { CommandBuffer, MOST_THREADS } from './commands.ts';
import type { Encoder, Precision } from './encoder.ts';
import type { Failure } from './failure.ts';
import { kernelNumber, type KernelName } from './kernel-names.ts';
import { heapStart } from './layout.ts';
import type { Link, LinkOptions } from './link.ts';
import { Mail } from './mail.ts';
import { createSharedMemory, growMemory, memoryLimit, pagesFor } from './memory.ts';
import { loadModule } from './module.ts';
import { hasRelaxedSimd, preferredTileRows, whyNotShared, whyUnavailable } from './probe.ts';
import { Ring } from './ring.ts';
import { encodeWrite, readBlock, readNow, writeDirectly } from './staging.ts';
import { availableThreads, Pool } from './threads.ts';
import type { CreateWorker } from './worker-source.ts';

export interface EngineOptions {
  /** How many workers compute. Default: what the machine runs at once, at most 8. One without shared memory. */
  readonly threads?: number | undefined;
  /** `strict` keeps to kernels that round as little as direct ones do. Default 'fast'. */
  readonly precision?: Precision | undefined;
  /** The most bytes of memory the engine grows to, its own 2 to 4 MiB included. Default 2 GiB, at most 4 GiB. */
  readonly maxMemory?: number | undefined;
  /** Replaces how workers are made. */
  readonly createWorker?: CreateWorker | undefined;
  /** False: one worker with private memory even where memory could be shared. For tests. */
  readonly sharedMemory?: false | undefined;
}

/** The commands of one op: sequence numbers `first` to `last`; none where `last` < `first`. */
export interface CommandRange {
  readonly first: number;
  readonly last: number;
}

export interface EngineMemory extends AllocatorTotals {
  /** Live blocks of `zeros`. */
  readonly zerosBytes: number;
}

/** Failures are remembered for whoever asks; a program that fails all the time must not collect them for ever. */
const MOST_FAILURES = 65536;
/** Looks at an idle ring before a worker sleeps: some 10 microseconds. */
const SPINS = 20_000;
const LEAST_ZEROS = 4096;
/** Elements that one chunk fills. */
const FILL_CHUNK = 65536;

let saidWhyPrivate = false;

export class Engine implements Encoder {
  readonly threads: number;
  readonly precision: Precision;
  readonly tileRows: 4 | 6 = preferredTileRows();
  /** `2 threads, relaxed SIMD, shared memory`. */
  readonly mode: string;
  /** Blocks until the value is there. Absent where this thread may not block, or memory is not shared. */
  readonly readSync?: (block: Block, bytes?: number) => Uint8Array<ArrayBuffer>;
  readonly #pool: Pool;
  readonly #allocator: Allocator;
  readonly #commands = new CommandBuffer();
  readonly #transfers = new CommandBuffer();
  readonly #failures: Failure[];
  readonly #listeners = new Set<(error: BackendError) => void>();
  #link: Link | null;
  #workspaces: Block[] = [];
  #zeros: Block | null = null;
  #end: Error | null = null;

  /** By `createEngine`. */
  constructor(parts: {
    pool: Pool;
    link: Link;
    allocator: Allocator;
    failures: Failure[];
    threads: number;
    precision: Precision;
    shared: boolean;
  }) {
    this.#pool = parts.pool;
    this.#link = parts.link;
    this.#allocator = parts.allocator;
    this.#failures = parts.failures;
    this.threads = parts.threads;
    this.precision = parts.precision;
    const threads = parts.threads === 1 ? '1 thread' : `${parts.threads} threads`;
    const simd = hasRelaxedSimd() ? 'relaxed SIMD' : 'SIMD';
    this.mode = `${threads}, ${simd}, ${parts.shared ? 'shared' : 'private'} memory`;
    if (parts.link.wait) {
      this.readSync = (block, bytes = block.bytes): Uint8Array<ArrayBuffer> =>
        readNow(this.#live(), block, bytes);
    }
  }

  /** Sequence number up to which commands are known to have run. */
  get completed(): number {
    const link = this.#live();
    link.refresh();
    return link.completed;
  }

  /**
   * Memory for `bytes`: 64-byte aligned, contents undefined, readable 64 bytes beyond. Throws a BackendError
   * `backend-memory`, with nothing changed, where there is no room; `purpose` (an op's name) begins the message.
   */
  allocate(bytes: number, purpose?: string): Block {
    this.#live();
    return this.#allocator.allocate(bytes, purpose);
  }

  /** Ends the use of a block by commands emitted from here on; its memory may serve the next ones at once. */
  free(block: Block): void {
    if (this.#link) this.#allocator.free(block, this.#nextSequence());
  }

  emit(kernel: KernelName, chunks: number, words: readonly number[]): void {
    this.#live();
    if (chunks > 0) this.#commands.append(kernelNumber(kernel), chunks, words);
  }

  workspace(bytes: number): number {
    const block = this.allocate(bytes, 'workspace');
    this.#workspaces.push(block);
    return block.address;
  }

  zeros(bytes: number): number {
    const link = this.#live();
    if (this.#zeros && this.#zeros.bytes >= bytes) return this.#zeros.address;
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, LEAST_ZEROS)));
    const block = this.#allocator.allocate(size, 'zeros');
    // The present op may still use the smaller one, and may be rolled back: the zeros are filled by a command before it.
    if (this.#zeros) this.#workspaces.push(this.#zeros);
    this.#zeros = block;
    const chunks = Math.ceil(size / 4 / FILL_CHUNK);
    this.#transfers.append(kernelNumber('fill'), chunks, [block.address, size / 4, 0, FILL_CHUNK]);
    link.submit(this.#transfers);
    return block.address;
  }

  /** Ends an op: what was emitted since the last commit goes to the workers; its workspaces are free for later ops. */
  commit(): CommandRange {
    const link = this.#live();
    const first = link.submitted + 1;
    if (this.#commands.length > 0) link.submit(this.#commands);
    this.#freeWorkspaces();
    return { first, last: link.submitted };
  }

  /** Forgets what was emitted since the last commit. */
  rollback(): void {
    this.#commands.clear();
    this.#freeWorkspaces();
  }

  /**
   * The failure of an op: null where all its commands have run well, 'pending' where some have not run yet (as far as known:
   * await a read or `sync`).
   */
  failureOf({ first, last }: CommandRange): Failure | null | 'pending' {
    const link = this.#live();
    if (link.completed < last) link.refresh();
    const found = this.#failures.find(({ sequence }) => sequence >= first && sequence <= last);
    return found ?? (link.completed < last ? 'pending' : null);
  }

  /** A new block with a copy of `bytes`. The quickest way for large arrays: often no command is needed. */
  upload(bytes: Uint8Array, purpose = 'upload'): Block {
    const link = this.#live();
    const block = this.#allocator.allocate(bytes.length, purpose);
    if (!writeDirectly(link, this.#allocator, block, bytes)) this.write(block, bytes);
    return block;
  }

  /** Copies `bytes` now; they reach the block after all commands emitted before and before all later ones. */
  write(block: Block, bytes: Uint8Array, offset = 0): void {
    const link = this.#live();
    const within = this.#commands.length > 0;
    const commands = within ? this.#commands : this.#transfers;
    encodeWrite(commands, block.address + offset, bytes);
    if (!within) link.submit(commands);
  }

  /** A copy of the first `bytes` of a block, as they are after what was committed so far. */
  async read(block: Block, bytes: number = block.bytes): Promise<Uint8Array<ArrayBuffer>> {
    return readBlock(this.#live(), this.#allocator, this.#transfers, block, bytes);
  }

  /** Resolves once all that was committed has run. */
  async sync(): Promise<void> {
    await this.#live().fetch(0, 0);
  }

  memory(): EngineMemory {
    this.#live();
    return { ...this.#allocator.totals, zerosBytes: this.#zeros?.bytes ?? 0 };
  }

  /** Calls `listener` once if a worker dies; returns how to stop listening. */
  onLost(listener: (error: BackendError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the workers. What waits is rejected, and later calls throw, with a DisposedError. */
  dispose(): void {
    if (this.#link) {
      this.#close(
        new DisposedError('workers: the backend was disposed; create or use another one'),
      );
    }
  }

  /** For `createEngine`: a worker has died. Returns the error that everyone gets. */
  lose(reason: string): BackendError {
    const error = lostError(reason);
    if (!this.#link) return error;
    this.#close(error);
    for (const listener of this.#listeners) listener(error);
    this.#listeners.clear();
    return error;
  }

  #close(error: Error): void {
    const link = this.#link!;
    this.#end = error;
    this.#link = null;
    this.#pool.terminate();
    link.close(error);
  }

  #live(): Link {
    if (!this.#link) throw this.#end!;
    return this.#link;
  }

  #nextSequence(): number {
    return this.#live().submitted + this.#commands.count;
  }

  #freeWorkspaces(): void {
    if (this.#workspaces.length === 0) return;
    const until = this.#nextSequence();
    for (const block of this.#workspaces) this.#allocator.free(block, until);
    this.#workspaces = [];
  }
}

function lostError(reason: string): BackendError {
  return new BackendError(
    'backend-lost',
    `workers: a worker has died: ${reason}. Its tensors are gone; await use('workers') builds a new engine`,
  );
}

function refused(reason: string): BackendError {
  return new BackendError('backend-unavailable', `workers: ${reason}`);
}

const optionNames: readonly string[] = [
  'threads',
  'precision',
  'maxMemory',
  'createWorker',
  'sharedMemory',
] satisfies (keyof EngineOptions)[];

/** In JavaScript anything may be given; a misspelt option must not go unnoticed. */
function expectOptions(options: EngineOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw refused(`options must be an object such as { threads: 2 }, got ${String(options)}`);
  }
  const stray = Object.keys(options).find((name) => !optionNames.includes(name));
  if (stray !== undefined) {
    throw refused(`there is no option '${stray}'; expected some of ${optionNames.join(', ')}`);
  }
  const { precision, createWorker } = options;
  if (!['fast', 'strict', undefined].includes(precision)) {
    throw refused(`precision must be 'fast' or 'strict', got ${String(precision)}`);
  }
  if (!['function', 'undefined'].includes(typeof createWorker)) {
    throw refused(`createWorker must be a function, got ${String(createWorker)}`);
  }
}

function threadCount(threads: number = availableThreads()): number {
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw refused(`threads must be a whole number from 1 to ${MOST_THREADS}, got ${threads}`);
  }
  return threads;
}

function sayWhyPrivate(reason: string): void {
  if (saidWhyPrivate) return;
  saidWhyPrivate = true;
  console.warn(`Convoke workers: one worker with private memory, because ${reason}`);
}

/** Starts workers and resolves once they are ready. Throws a BackendError that says why it cannot. */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  expectOptions(options);
  const unavailable = whyUnavailable();
  if (unavailable !== null) throw refused(unavailable);
  const notShared = whyNotShared();
  const shared = notShared === null && options.sharedMemory !== false;
  if (notShared !== null) sayWhyPrivate(notShared);
  const threads = shared ? threadCount(options.threads) : Math.min(1, threadCount(options.threads));
  const wanted = memoryLimit(options.maxMemory, threads);
  const start = heapStart(threads);

  let engine: Engine | null = null;
  let died: string | null = null;
  const failures: Failure[] = [];
  const lost = (reason: string): BackendError => {
    died ??= reason;
    return engine?.lose(reason) ?? lostError(reason);
  };

  const reserved = shared
    ? createSharedMemory(start, wanted, options.maxMemory !== undefined)
    : null;
  const limit = reserved?.limit ?? wanted;
  let memoryBytes = start;
  const allocator = new Allocator({
    start,
    limit,
    grow: (end) => {
      memoryBytes = Math.max(memoryBytes, end);
      return reserved === null || growMemory(reserved.memory, end);
    },
  });
  const pool = await Pool.start({
    count: threads,
    createWorker: options.createWorker,
    start: async () => ({
      module: await loadModule(shared),
      memory: reserved?.memory ?? {
        initialPages: pagesFor(start),
        maximumPages: pagesFor(limit),
      },
      spins: SPINS,
    }),
    onMessage: (message) => link.receive(message),
    onDeath: (reason) => void lost(reason),
  });
  const linkOptions: LinkOptions = {
    onFailure: (failure) => {
      if (failures.push(failure) > MOST_FAILURES) failures.shift();
    },
    hold: () => pool.hold(),
    release: () => pool.release(),
    lost,
  };
  const link = reserved
    ? new Ring({ ...linkOptions, memory: reserved.memory, threads })
    : new Mail({
        ...linkOptions,
        post: (message, transfer) => pool.post(message, transfer),
        memoryBytes: () => memoryBytes,
      });
  engine = new Engine({
    pool,
    link,
    allocator,
    failures,
    threads,
    shared,
    precision: options.precision ?? 'fast',
  });
  if (died !== null) throw engine.lose(died);
  return engine;
}
