// What runs in a worker: it makes an instance of the kernels and enters their loop. With shared memory it stays there until
// the caller ends the loop; with private memory it runs each batch that comes by message and answers. Imported by nobody: a
// worker's entry.

import { control, CONTROL_BYTES, header } from './commands.ts';
import type { BatchMessage, FailureWords, FromWorker, StartMessage, ToWorker } from './protocol.ts';
import { CONTROL, PAGE, RING, RING_WORDS, SCRATCH, SCRATCH_BYTES } from './layout.ts';

interface Kernels {
  start(scratch: number): void;
  serve(
    control: number,
    ring: number,
    ringWords: number,
    thread: number,
    spins: number,
    stay: number,
  ): void;
}

const parent =
  typeof process !== 'undefined' && process.versions?.node
    ? (process.getBuiltinModule?.('node:worker_threads').parentPort ?? null)
    : null;
const scope = globalThis as unknown as {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
};

function post(message: FromWorker, transfer: readonly ArrayBuffer[] = []): void {
  if (parent) parent.postMessage(message, [...transfer]);
  else scope.postMessage(message, [...transfer]);
}

function listen(listener: (message: ToWorker) => void): void {
  if (parent) parent.on('message', listener);
  else scope.addEventListener('message', ({ data }) => listener(data as ToWorker));
}

function notice(token: number): void {
  post({ kind: 'notice', token });
}

function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  thread: number,
): Kernels {
  const { exports } = new WebAssembly.Instance(module, { env: { memory, notice } });
  const kernels = exports as unknown as Kernels;
  kernels.start(SCRATCH + thread * SCRATCH_BYTES);
  return kernels;
}

function crashed(error: unknown): void {
  post({ kind: 'crashed', message: error instanceof Error ? error.message : String(error) });
}

/** Takes the lock until the worker dies, whichever way. False where there are no locks or this origin has none. */
function holdLock(name: string): Promise<boolean> {
  if (parent || !globalThis.navigator?.locks) return Promise.resolve(false);
  return new Promise((resolve) => {
    navigator.locks
      .request(name, () => {
        resolve(true);
        return new Promise(() => undefined);
      })
      .catch(() => resolve(false));
  });
}

function serveShared({ module, memory, thread, spins }: StartMessage, locked: boolean): void {
  const shared = memory as WebAssembly.Memory;
  const words = new Int32Array(shared.buffer, CONTROL, CONTROL_BYTES / 4);
  try {
    const kernels = instantiate(module, shared, thread);
    post({ kind: 'ready', locked });
    kernels.serve(CONTROL, RING, RING_WORDS, thread, spins, 1);
  } catch (error) {
    // A caller that blocks in readSync cannot hear messages.
    Atomics.store(words, control.lost, 1);
    Atomics.notify(words, control.current);
    crashed(error);
  }
}

/** The engine of one worker with a memory of its own. */
class PrivateEngine {
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  #failures: FailureWords[] = [];
  #completed = 0;

  constructor(module: WebAssembly.Module, initialPages: number, maximumPages: number) {
    this.#memory = new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages });
    this.#kernels = instantiate(module, this.#memory, 0);
  }

  take({ words, memoryBytes, answer }: BatchMessage): void {
    const missing = Math.ceil((memoryBytes - this.#memory.buffer.byteLength) / PAGE);
    if (missing > 0) this.#memory.grow(missing);
    this.#run(words);
    if (!answer) return;
    const data = new Uint8Array(this.#memory.buffer, answer.address, answer.bytes).slice();
    const failures = this.#failures;
    this.#failures = [];
    post({ kind: 'answer', token: answer.token, data, completed: this.#completed, failures }, [
      data.buffer,
    ]);
  }

  /** Runs commands from the start of the ring, as many at a time as it holds. */
  #run(words: Int32Array): void {
    const ring = new Int32Array(this.#memory.buffer, RING, RING_WORDS);
    const state = new Int32Array(this.#memory.buffer, CONTROL, CONTROL_BYTES / 4);
    for (let at = 0; at < words.length;) {
      let end = at;
      while (end < words.length && end + words[end + header.words]! - at <= RING_WORDS) {
        end += words[end + header.words]!;
      }
      ring.set(words.subarray(at, end));
      state[control.current] = 0;
      state[control.tail] = end - at;
      this.#kernels.serve(CONTROL, RING, RING_WORDS, 0, 0, 0);
      this.#completed = state[control.completed]!;
      this.#collect(ring, end - at);
      at = end;
    }
  }

  #collect(ring: Int32Array, length: number): void {
    for (let at = 0; at < length; at += ring[at + header.words]!) {
      const code = ring[at + header.failure]!;
      if (code === 0) continue;
      this.#failures.push([
        ring[at + header.kernel]!,
        code,
        ring[at + header.value]!,
        ring[at + header.sequence]!,
      ]);
    }
  }
}

let engine: PrivateEngine | null = null;

async function receive(message: ToWorker): Promise<void> {
  if (message.kind === 'batch') {
    engine!.take(message);
    return;
  }
  const locked = await holdLock(message.lock);
  if (message.memory instanceof WebAssembly.Memory) {
    serveShared(message, locked);
    return;
  }
  const { initialPages, maximumPages } = message.memory;
  engine = new PrivateEngine(message.module, initialPages, maximumPages);
  post({ kind: 'ready', locked });
}

listen((message) => {
  receive(message).catch(crashed);
});
