// A backend that makes mistakes of ordering and ownership visible: nothing runs before somebody reads or syncs, memory is laid
// out as nobody expects, freed and donated memory turns to NaN, and ops can be made to fail. It computes by the naive
// reference and keeps the contract to the letter. For tests of what is built on a backend; slow.

import {
  BackendError,
  byteLength,
  definition,
  DisposedError,
  formatSpec,
  isRequired,
  SPEC_VERSION,
  type Backend,
  type BackendFactory,
  type Capabilities,
  type Data,
  type Handle,
  type MemoryReport,
  type OpAttributes,
  type OpName,
  type Spec,
} from '@convoke/backend-api';

import { Storage } from './late/storage.ts';
import { fromData, runNaive } from './naive/index.ts';

export interface LateOptions {
  /** Numbers of the ops, counted from 0 in the order of `run`, that fail once they are executed. */
  readonly failures?: readonly number[];
  /** Run the required ops only, so that all others are decomposed. Default false. */
  readonly requiredOnly?: boolean;
  /** `run` and `upload` throw where live handles would need more. Default: no limit. */
  readonly maxBytes?: number;
}

export interface LateBackend extends Backend {
  /** Makes the op of the next `run` fail once it is executed. */
  failNext(): void;
  /** Calls of `run` so far. */
  readonly opCount: number;
}

interface State {
  count: number;
  readonly storage: Storage;
}

interface Command {
  execute(): void;
  /** For reads and syncs: what they are told when the backend is disposed first. */
  abandon?(error: Error): void;
}

class Late implements LateBackend {
  readonly name = 'late';
  readonly specVersion: number = SPEC_VERSION;
  readonly capabilities: Capabilities;
  readonly #states = new WeakMap<Handle, State>();
  readonly #failures: Set<number>;
  readonly #requiredOnly: boolean;
  /** Failures that nobody has read. */
  readonly #unread = new Set<Error>();
  #queue: Command[] = [];
  #opCount = 0;
  #handles = 0;
  #bytes = 0;
  #disposed = false;

  constructor({ failures = [], requiredOnly = false, maxBytes }: LateOptions) {
    this.#failures = new Set(failures);
    this.#requiredOnly = requiredOnly;
    this.capabilities = {
      dtypes: ['float32', 'int32', 'uint8', 'bool'],
      epsilon: 2 ** -24,
      nonFinite: true,
      checksIndices: true,
      maxBytes: maxBytes ?? null,
      readSync: false,
      threads: 1,
      deterministic: true,
    };
  }

  get opCount(): number {
    return this.#opCount;
  }

  failNext(): void {
    this.#failures.add(this.#opCount);
  }

  #alive(): void {
    if (this.#disposed) throw new DisposedError('late: this backend was disposed; create another');
  }

  #state(handle: Handle): State {
    this.#alive();
    const state = this.#states.get(handle);
    if (!state) throw new BackendError('backend-mixed', 'late: the handle is of another backend');
    if (state.count === 0) {
      throw new DisposedError(
        `late: a handle of ${formatSpec(handle.spec)} was used after its last release`,
      );
    }
    return state;
  }

  #reserve(specs: readonly Spec[]): void {
    const { maxBytes } = this.capabilities;
    const needed = specs.reduce((total, spec) => total + byteLength(spec), this.#bytes);
    if (maxBytes !== null && needed > maxBytes) {
      throw new BackendError(
        'backend-memory',
        `late: ${needed} bytes are needed, more than the ${maxBytes} there are; release tensors first`,
      );
    }
  }

  #make(spec: Spec, storage: Storage): Handle {
    const handle: Handle = { spec };
    this.#states.set(handle, { count: 1, storage });
    this.#handles++;
    if (storage.holders++ === 0) this.#bytes += byteLength(storage.spec);
    return handle;
  }

  upload(spec: Spec, data: Data): Handle {
    this.#alive();
    this.#reserve([spec]);
    const snapshot = data.slice();
    const storage = new Storage(spec);
    this.#queue.push({ execute: () => storage.write(snapshot) });
    return this.#make(spec, storage);
  }

  supports(op: OpName): boolean {
    return !this.#requiredOnly || isRequired(op);
  }

  run<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    donate: readonly number[] = [],
  ): readonly Handle[] {
    const states = inputs.map((handle) => this.#state(handle));
    this.#alive();
    if (!this.supports(op)) {
      throw new BackendError(
        'backend-unsupported',
        `late: '${op}' is not run here; ask supports() and decompose it`,
      );
    }
    const specs = definition(op).infer(
      inputs.map(({ spec }) => spec),
      attributes,
    );
    const sources = states.map(({ storage }) => storage);
    const failure = this.#failures.has(this.#opCount)
      ? new BackendError('backend-failed', `late: op ${this.#opCount}, '${op}', was made to fail`)
      : null;
    const shares = op === 'reshape' && !failure;
    if (!shares) this.#reserve(specs);
    this.#opCount++;
    const storages = shares ? [sources[0]!] : specs.map((spec) => new Storage(spec));
    if (!shares) {
      this.#queue.push({
        execute: () => this.#execute(op, inputs, sources, attributes, storages, failure),
      });
    }
    const outputs = specs.map((spec, i) => this.#make(spec, storages[i]!));
    for (const position of donate) this.release(inputs[position]!);
    return outputs;
  }

  #execute<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    sources: readonly Storage[],
    attributes: OpAttributes[K],
    outputs: readonly Storage[],
    injected: Error | null,
  ): void {
    const inherited = sources.find(({ failure }) => failure)?.failure ?? null;
    const failure = inherited ?? injected;
    try {
      if (failure) throw failure;
      const values = sources.map((storage, i) => fromData(inputs[i]!.spec, storage.read()));
      const results = runNaive(op, values, attributes);
      for (const [i, storage] of outputs.entries()) storage.write(results[i]!.data);
    } catch (error) {
      if (!inherited) this.#unread.add(error as Error);
      for (const storage of outputs) storage.failure = error as Error;
    }
  }

  #drain(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const command of queue) command.execute();
  }

  /** Queues a command and runs everything up to it, but not before the caller has gone on. */
  #later<T>(settle: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({
        execute: () => {
          try {
            resolve(settle());
          } catch (error) {
            reject(error as Error);
          }
        },
        abandon: reject,
      });
      queueMicrotask(() => this.#drain());
    });
  }

  async read(handle: Handle): Promise<Data> {
    const { storage } = this.#state(handle);
    return this.#later(() => {
      const { failure } = storage;
      if (!failure) return storage.read();
      this.#unread.delete(failure);
      throw failure;
    });
  }

  async sync(): Promise<void> {
    this.#alive();
    return this.#later(() => {
      for (const failure of this.#unread) {
        this.#unread.delete(failure);
        throw failure;
      }
    });
  }

  retain(handle: Handle): void {
    this.#state(handle).count++;
  }

  release(handle: Handle): void {
    const state = this.#state(handle);
    if (--state.count > 0) return;
    this.#handles--;
    const { storage } = state;
    if (--storage.holders > 0) return;
    this.#bytes -= byteLength(storage.spec);
    this.#queue.push({ execute: () => storage.destroy() });
  }

  memory(): MemoryReport {
    this.#alive();
    return { handles: this.#handles, bytes: this.#bytes };
  }

  onLost(): () => void {
    return () => undefined;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const error = new DisposedError('late: the backend was disposed before this was read');
    for (const command of this.#queue) command.abandon?.(error);
    this.#queue = [];
  }
}

export function createLate(options: LateOptions = {}): LateBackend {
  return new Late(options);
}

/** The late backend as a factory; `best()` never picks it. */
export const late: BackendFactory<LateOptions> = {
  name: 'late',
  specVersion: SPEC_VERSION,
  priority: -1,
  probe: () => Promise.resolve({ available: true, detail: 'for tests only' }),
  create: (options) => Promise.resolve(createLate(options)),
};
