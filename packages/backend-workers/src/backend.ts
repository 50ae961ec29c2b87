// The backend: handles over shared storage, and ops encoded as commands that the engine runs later. What it promises is the
// contract of backend-api; how an op is planned stands in ops/, what runs it in kernels/.

import {
  BackendError,
  bytesPerElement,
  checkShape,
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

import type { Engine } from './engine.ts';
import { planners } from './ops/index.ts';
import type { Planner } from './ops/planner.ts';
import { plain } from './order.ts';
import { Planning, transpose, type Value } from './planning.ts';
import { firstError, joinRisks, noRisks, Risks, type Risk } from './risks.ts';
import { Storage, Store } from './storage.ts';

class WorkersHandle implements Handle, Value {
  readonly spec: Spec;
  readonly owner: WorkersBackend;
  readonly storage: Storage;
  count = 1;

  constructor(spec: Spec, owner: WorkersBackend, storage: Storage) {
    this.spec = spec;
    this.owner = owner;
    this.storage = storage;
  }
}

const arrayTypes = {
  float32: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<Dtype, unknown>;

const none: readonly never[] = [];

class WorkersBackend implements Backend {
  readonly name = 'workers';
  readonly specVersion: number = SPEC_VERSION;
  readonly capabilities: Capabilities;
  readonly mode: string;
  readonly readSync?: (handle: Handle) => Data;
  readonly #engine: Engine;
  readonly #store: Store;
  readonly #planning: Planning;
  readonly #risks: Risks;
  #handles = 0;
  #disposed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#store = new Store(engine);
    this.#planning = new Planning(engine, this.#store);
    this.#risks = new Risks(
      (range) => engine.failureOf(range),
      () => engine.sync(),
    );
    this.mode = `${engine.mode}, ${engine.precision}`;
    if (engine.readSync) this.readSync = (handle) => this.#readNow(handle);
    this.capabilities = {
      dtypes: ['float32', 'int32', 'uint8', 'bool'],
      epsilon: 2 ** -24,
      nonFinite: true,
      checksIndices: true,
      maxBytes: engine.memory().limitBytes,
      readSync: engine.readSync !== undefined,
      threads: engine.threads,
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
    const values = spec.dtype === 'bool' ? data.map((value) => (value === 0 ? 0 : 1)) : data;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#store.beginOp();
    const block = this.#store.insist(() => this.#engine.upload(bytes, 'upload'));
    return this.#make(spec, new Storage(size, bytesPerElement[spec.dtype], plain, block));
  }

  run<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    donate: readonly number[] = none,
  ): readonly Handle[] {
    this.#expectLive(op);
    const handles: WorkersHandle[] = [];
    const specs: Spec[] = [];
    for (const handle of inputs) {
      handles.push(this.#own(op, handle));
      specs.push(handle.spec);
    }
    const outputs = definition(op).infer(specs, attributes);
    const planner = plannerOf(op, specs);
    if (!planner) throw unsupported(op);
    if (donate.length > 0) expectDonations(op, handles, donate);

    let parents = noRisks;
    for (const { storage } of handles) {
      if (storage.risks.length === 0) continue;
      storage.risks = this.#risks.open(storage.risks);
      parents = joinRisks(parents, storage.risks);
    }
    const planning = this.#planning;
    planning.begin(op, handles, outputs, donate.length > 0 ? reusable(handles, donate) : none);
    try {
      planner(planning, attributes);
    } catch (error) {
      planning.undo();
      this.#engine.rollback();
      throw error;
    }
    const { late } = planning;
    const storages = planning.finish();
    const range = this.#engine.commit();
    const risks = late ? this.#risks.add(range, parents, late) : parents;
    const results = outputs.map((spec, i) => {
      const storage = storages[i]!;
      if (storage.holders === 0) storage.risks = risks;
      return this.#make(spec, storage);
    });
    for (const position of donate) this.release(handles[position]!);
    return results;
  }

  supports<K extends OpName>(
    op: K,
    inputs: readonly Spec[],
    _attributes: OpAttributes[K],
  ): boolean {
    this.#expectLive('supports');
    return plannerOf(op, inputs) !== null;
  }

  async read(handle: Handle): Promise<Data> {
    this.#expectLive('read');
    const { spec, storage } = this.#own('read', handle);
    // All up to the first await happens now: later calls cannot change what is read.
    const { risks } = storage;
    const bytes = await this.#inOrder(storage, (block) => this.#engine.read(block, storage.bytes));
    this.#expectWell(risks);
    return asData(spec.dtype, bytes);
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
    this.#store.drop(own.storage);
  }

  async sync(): Promise<void> {
    this.#expectLive('sync');
    await this.#engine.sync();
    this.#risks.settle();
    const error = this.#risks.takeUnread();
    if (error) throw error;
  }

  memory(): MemoryReport {
    this.#expectLive('memory');
    const { usedBytes, heapBytes, zerosBytes, blocks } = this.#engine.memory();
    return {
      handles: this.#handles,
      bytes: this.#store.heldBytes,
      details: { formBytes: this.#store.formBytes, usedBytes, heapBytes, zerosBytes, blocks },
    };
  }

  onLost(listener: (error: BackendError) => void): () => void {
    return this.#engine.onLost(listener);
  }

  dispose(): void {
    this.#disposed = true;
    this.#handles = 0;
    this.#store.clear();
    this.#engine.dispose();
  }

  #readNow(handle: Handle): Data {
    this.#expectLive('read');
    const { spec, storage } = this.#own('read', handle);
    const bytes = this.#inOrder(storage, (block) => this.#engine.readSync!(block, storage.bytes));
    this.#expectWell(storage.risks);
    return asData(spec.dtype, bytes);
  }

  /** Calls `read` with a block of the value in C order. */
  #inOrder<T>(storage: Storage, read: (block: NonNullable<Storage['block']>) => T): T {
    const known = storage.order.channels === 1 ? storage.block : storage.forms?.get('plain')?.block;
    if (known) return read(known);
    const { channels, plane } = storage.order;
    this.#store.beginOp();
    const block = this.#store.allocate(storage.bytes, 'read');
    try {
      const addresses = { from: storage.block!.address, to: block.address };
      transpose(this.#engine, storage, addresses, { channels: plane, plane: channels });
      this.#engine.commit();
      return read(block);
    } finally {
      this.#store.free(block);
    }
  }

  /** Throws where an op has failed that the value depends on. All commands before must have run. */
  #expectWell(risks: readonly Risk[]): void {
    if (risks.length === 0) return;
    this.#risks.settle();
    const error = firstError(risks);
    if (!error) return;
    this.#risks.markRead(error);
    throw error;
  }

  #make(spec: Spec, storage: Storage): WorkersHandle {
    this.#store.hold(storage);
    this.#handles++;
    return new WorkersHandle(spec, this, storage);
  }

  #own(op: string, handle: Handle): WorkersHandle {
    if (!(handle instanceof WorkersHandle) || handle.owner !== this) {
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
}

/** Optional ops on tensors without elements are left to their decompositions. */
function plannerOf<K extends OpName>(op: K, inputs: readonly Spec[]): Planner<K> | null {
  const planner = planners[op] as Planner<K> | undefined;
  if (!planner) return null;
  if (isRequired(op)) return planner;
  for (const { shape } of inputs) if (shape.includes(0)) return null;
  return planner;
}

function unsupported(op: OpName): BackendError {
  return new BackendError(
    'backend-unsupported',
    `workers: this backend does not run '${op}'; ask supports() first and decompose it`,
  );
}

function asData(dtype: Dtype, { buffer }: Uint8Array<ArrayBuffer>): Data {
  return new arrayTypes[dtype](buffer);
}

/** Each donation takes a count that the caller must have. */
function expectDonations(
  op: string,
  handles: readonly WorkersHandle[],
  donate: readonly number[],
): void {
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

/** Which inputs nobody else can see any more once they are donated. */
function reusable(handles: readonly WorkersHandle[], donate: readonly number[]): boolean[] {
  return handles.map(
    ({ storage, count }, i) =>
      count === 1 &&
      storage.holders === 1 &&
      donate.includes(i) &&
      handles.every((other, j) => j === i || other.storage !== storage),
  );
}

/** The backend over an engine, which is its own from here on. */
export function backendOn(engine: Engine): Backend {
  return new WorkersBackend(engine);
}
