// The backend: handles over shared storage, and ops computed at once by the kernels. What it promises is the contract of
// backend-api; how an op is computed stands in kernels/.

import {
  BackendError,
  checkShape,
  ConvokeError,
  definition,
  DisposedError,
  DtypeError,
  formatSpec,
  isRequired,
  ShapeError,
  sizeOf,
  SPEC_VERSION,
  type Backend,
  type Capabilities,
  type Data,
  type Dtype,
  type Handle,
  type MemoryReport,
  type OpAttributes,
  type OpName,
  type Spec,
} from '@convoke/backend-api';

import type { Kernel, Value } from './kernel.ts';
import { kernels } from './kernels/index.ts';
import { Memory, type Storage } from './storage.ts';

export interface JsOptions {
  /** Runs required ops only; the optional ones are decomposed. For tests, and to see what fusing brings. Default false. */
  readonly decomposeOnly?: boolean | undefined;
  /** The most bytes that live tensors and a running op may take. Default: no limit but the machine's. */
  readonly maxBytes?: number | undefined;
}

/** An op's failure, shared by all handles that depend on it. */
interface Failure {
  readonly error: Error;
}

class JsHandle implements Handle {
  readonly spec: Spec;
  readonly owner: JsBackend;
  /** The value, or the failure of the op that should have computed it. */
  readonly content: Storage | Failure;
  count = 1;

  constructor(spec: Spec, owner: JsBackend, content: Storage | Failure) {
    this.spec = spec;
    this.owner = owner;
    this.content = content;
  }
}

const arrayTypes = {
  float32: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<Dtype, unknown>;

/** Failures that wait for `sync` to tell of them; a program that never asks must not collect them for ever. */
const MOST_UNREAD = 64;

class JsBackend implements Backend {
  readonly name = 'js';
  readonly specVersion: number = SPEC_VERSION;
  readonly capabilities: Capabilities;
  readonly mode: string;
  readonly #decomposeOnly: boolean;
  readonly #memory: Memory;
  readonly #unread = new Set<Failure>();
  #handles = 0;
  #disposed = false;

  constructor({ decomposeOnly = false, maxBytes }: JsOptions) {
    if (maxBytes !== undefined && !(maxBytes > 0)) {
      throw new BackendError(
        'backend-unavailable',
        `js: maxBytes must be a number of bytes above 0, got ${maxBytes}; leave it out for no limit`,
      );
    }
    this.#decomposeOnly = decomposeOnly;
    this.#memory = new Memory(maxBytes ?? null);
    this.mode = decomposeOnly
      ? 'plain JavaScript, required ops only'
      : 'plain JavaScript, 1 thread';
    this.capabilities = {
      dtypes: ['float32', 'int32', 'uint8', 'bool'],
      epsilon: 2 ** -24,
      nonFinite: true,
      checksIndices: true,
      maxBytes: maxBytes ?? null,
      readSync: true,
      threads: 1,
      deterministic: true,
    };
  }

  upload(spec: Spec, data: Data): Handle {
    this.#expectLive('upload');
    checkShape('upload', spec.shape);
    const type = arrayTypes[spec.dtype];
    if (!(data instanceof type)) {
      throw new DtypeError(
        `upload: ${formatSpec(spec)} takes a ${type.name}, got ${Object.prototype.toString.call(data).slice(8, -1)}`,
      );
    }
    const size = sizeOf(spec.shape);
    if (data.length !== size) {
      throw new ShapeError(
        `upload: ${formatSpec(spec)} takes ${size} elements, got an array of ${data.length}`,
      );
    }
    this.#memory.begin('upload');
    const copy = this.#memory.take(spec.dtype, size);
    if (spec.dtype === 'bool') for (let i = 0; i < size; i++) copy[i] = data[i] === 0 ? 0 : 1;
    else copy.set(data);
    return this.#make(spec, this.#memory.store(copy));
  }

  run<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    donate: readonly number[] = [],
  ): readonly Handle[] {
    this.#expectLive(op);
    const handles = inputs.map((handle) => this.#own(op, handle));
    const specs = handles.map(({ spec }) => spec);
    const outputs = definition(op).infer(specs, attributes);
    const kernel = this.#kernel(op);
    this.#expectDonations(op, handles, donate);

    const contents = this.#contents(op, kernel, handles, attributes, outputs, donate);
    const results = outputs.map((spec, i) => this.#make(spec, contents[i]!));
    for (const position of donate) this.release(handles[position]!);
    return results;
  }

  supports<K extends OpName>(
    op: K,
    _inputs: readonly Spec[],
    _attributes: OpAttributes[K],
  ): boolean {
    this.#expectLive('supports');
    return kernels[op] !== undefined && (!this.#decomposeOnly || isRequired(op));
  }

  // The copy is made before the first await: later calls cannot change what is read.
  async read(handle: Handle): Promise<Data> {
    return this.readSync(handle);
  }

  readSync(handle: Handle): Data {
    this.#expectLive('read');
    const { content } = this.#own('read', handle);
    if ('data' in content) return content.data.slice();
    this.#unread.delete(content);
    throw content.error;
  }

  retain(handle: Handle): void {
    this.#expectLive('retain');
    this.#own('retain', handle).count++;
  }

  release(handle: Handle): void {
    this.#expectLive('release');
    const own = this.#own('release', handle);
    if (--own.count > 0) return;
    this.#handles--;
    if ('data' in own.content) this.#memory.drop(own.content);
  }

  async sync(): Promise<void> {
    this.#expectLive('sync');
    for (const failure of this.#unread) {
      this.#unread.delete(failure);
      throw failure.error;
    }
  }

  memory(): MemoryReport {
    this.#expectLive('memory');
    return {
      handles: this.#handles,
      bytes: this.#memory.heldBytes,
      details: { pooledBytes: this.#memory.pooledBytes },
    };
  }

  /** Plain memory is never lost: the listener is never called. */
  onLost(): () => void {
    return () => undefined;
  }

  dispose(): void {
    this.#disposed = true;
    this.#handles = 0;
    this.#unread.clear();
    this.#memory.clear();
  }

  /** What the outputs hold: results, a failure of this op, or the failure of an op before it. */
  #contents<K extends OpName>(
    op: K,
    kernel: Kernel<K>,
    handles: readonly JsHandle[],
    attributes: OpAttributes[K],
    outputs: readonly Spec[],
    donate: readonly number[],
  ): readonly (Storage | Failure)[] {
    const storages: Storage[] = [];
    for (const { content } of handles) {
      if (!('data' in content)) return outputs.map(() => content);
      storages.push(content);
    }
    const values = handles.map(({ spec }, i): Value => ({ spec, data: storages[i]!.data }));
    const reuse = values.map(({ data }, i) => {
      const alone = storages[i]!.holders === 1 && handles[i]!.count === 1;
      return alone && donate.includes(i) && onlyOnce(storages, i) ? data : null;
    });
    this.#memory.begin(op);
    try {
      const arrays = kernel(values, attributes, outputs, reuse, this.#memory);
      return arrays.map(
        (data) => storages.find((storage) => storage.data === data) ?? this.#memory.store(data),
      );
    } catch (error) {
      // What a value was wrong for fails the op late, by the contract; a lack of memory, or a bug, is thrown at once.
      if (error instanceof ConvokeError && error.code !== 'backend-memory') {
        return this.#fail(error, outputs);
      }
      throw error;
    }
  }

  #fail(error: Error, outputs: readonly Spec[]): Failure[] {
    const failure = { error };
    if (this.#unread.size < MOST_UNREAD) this.#unread.add(failure);
    return outputs.map(() => failure);
  }

  #make(spec: Spec, content: Storage | Failure): JsHandle {
    if ('data' in content) this.#memory.hold(content);
    this.#handles++;
    return new JsHandle(spec, this, content);
  }

  #kernel<K extends OpName>(op: K): Kernel<K> {
    const kernel = kernels[op] as Kernel<K> | undefined;
    if (!kernel || (this.#decomposeOnly && !isRequired(op))) {
      throw new BackendError(
        'backend-unsupported',
        `js: this backend does not run '${op}'${this.#decomposeOnly ? ' (it was created with decomposeOnly)' : ''}; ask supports() first and decompose it`,
      );
    }
    return kernel;
  }

  #own(op: string, handle: Handle): JsHandle {
    if (!(handle instanceof JsHandle) || handle.owner !== this) {
      throw new BackendError(
        'backend-mixed',
        `${op}: got a tensor of another backend on this '${this.name}' backend; move it with await tensor.to(backend)`,
      );
    }
    if (handle.count <= 0) {
      throw new DisposedError(
        `${op}: the value of ${formatSpec(handle.spec)} was already released; retain it for as long as it is used`,
      );
    }
    return handle;
  }

  #expectLive(op: string): void {
    if (this.#disposed) {
      throw new DisposedError(
        `${op}: this '${this.name}' backend was disposed of; create another and upload the values again`,
      );
    }
  }

  /** Each donation takes a count that the caller must have. */
  #expectDonations(op: string, handles: readonly JsHandle[], donate: readonly number[]): void {
    for (const [i, position] of donate.entries()) {
      if (handles[position] && donate.indexOf(position) === i) continue;
      throw new BackendError(
        'backend-unsupported',
        `${op}: donate names position ${position} ${handles[position] ? 'twice' : `of ${handles.length} inputs`}; expected each position of an input at most once`,
      );
    }
    for (const position of donate) {
      const handle = handles[position]!;
      const taken = donate.filter((other) => handles[other] === handle).length;
      if (taken <= handle.count) continue;
      throw new DisposedError(
        `${op}: ${taken} counts of an input of ${formatSpec(handle.spec)} are donated, but it has ${handle.count}`,
      );
    }
  }
}

function onlyOnce(storages: readonly Storage[], position: number): boolean {
  return storages.every((storage, i) => i === position || storage !== storages[position]);
}

/** A backend in plain JavaScript. Several may live side by side; each has its own memory. */
export function createJs(options: JsOptions = {}): Backend {
  return new JsBackend(options);
}
