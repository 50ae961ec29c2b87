// The backend: handles over shared storage on a device. What it promises is the contract of backend-api; how an op is computed
// stands in kernels/. WebGL keeps the order of calls by itself: a draw sees what was drawn before.

import {
  BackendError,
  byteLength,
  checkShape,
  definition,
  DisposedError,
  DtypeError,
  formatSpec,
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

import { contextLost, flatLayout, type Buffer, type Device } from './device.ts';
import { KernelCache } from './kernel-cache.ts';
import { Kit, type OpKernel, type Value } from './kernel.ts';
import { kernels } from './kernels/index.ts';
import { Storage } from './storage.ts';

class GpuHandle implements Handle, Value {
  readonly spec: Spec;
  readonly owner: GpujsBackend;
  readonly storage: Storage;
  count = 1;

  constructor(spec: Spec, owner: GpujsBackend, storage: Storage) {
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

/** Floats hold every whole number up to here. */
const EXACT = 2 ** 24;

/** A key tells numbers apart that JSON does not. */
function written(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

export class GpujsBackend implements Backend {
  readonly name = 'gpujs';
  readonly specVersion: number = SPEC_VERSION;
  readonly capabilities: Capabilities;
  readonly mode: string;
  readonly #device: Device;
  readonly #cache: KernelCache;
  readonly #listeners = new Set<(error: BackendError) => void>();
  readonly #storages = new Set<Storage>();
  #lost: BackendError | null = null;
  #handles = 0;
  #bytes = 0;
  #disposed = false;

  constructor(device: Device, maxKernels: number) {
    this.#device = device;
    this.#cache = new KernelCache(maxKernels);
    this.mode = device.mode;
    this.capabilities = {
      dtypes: ['float32', 'int32', 'uint8', 'bool'],
      // A GPU's exp, log, sin and division are off by a few units in the last place.
      epsilon: 2 ** -21,
      nonFinite: false,
      checksIndices: false,
      maxBytes: null,
      readSync: false,
      threads: 1,
      deterministic: true,
    };
    device.onLost(() => this.#lose());
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
    const layout = new Kit(this.#device, this.#cache, 'upload', '').layout(spec.shape);
    const floats =
      data instanceof Float32Array
        ? data
        : Float32Array.from(data, spec.dtype === 'bool' ? (value) => Number(value !== 0) : Number);
    const storage = new Storage(this.#device.upload(floats, layout));
    if (data instanceof Int32Array && data.some((value) => Math.abs(value) > EXACT)) {
      storage.limbs = this.#uploadLimbs(data);
    }
    return this.#make(spec, storage);
  }

  run<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    donate: readonly number[] = [],
  ): readonly Handle[] {
    this.#expectLive(op);
    const handles = inputs.map((handle) => this.#own(op, handle));
    const outputs = definition(op).infer(
      handles.map(({ spec }) => spec),
      attributes,
    );
    const kernel = kernels[op] as OpKernel<K> | undefined;
    if (!kernel) {
      throw new BackendError(
        'backend-unsupported',
        `gpujs: this backend does not run '${op}'; ask supports() first and decompose it`,
      );
    }
    this.#expectDonations(op, handles, donate);
    const specs = handles.map(({ spec }) => `${spec.dtype[0]}${spec.shape.join()}`).join(' ');
    const key = `${op} ${specs} ${JSON.stringify(attributes, written)}`;
    const kit = new Kit(this.#device, this.#cache, op, key);
    let results: readonly (Buffer | Storage)[];
    try {
      results = kernel(kit, handles, attributes, outputs);
    } catch (error) {
      throw this.#device.isLost() ? contextLost() : error;
    } finally {
      kit.finish();
    }
    const made = results.map((result, i) =>
      this.#make(outputs[i]!, result instanceof Storage ? result : new Storage(result)),
    );
    if (op === 'maxPool2d') made[1]!.storage.windows = attributes as OpAttributes['maxPool2d'];
    for (const position of donate) this.release(handles[position]!);
    return made;
  }

  supports(op: OpName, inputs: readonly Spec[]): boolean {
    this.#expectLive('supports');
    if (kernels[op] === undefined) return false;
    return inputs.length <= this.#device.maxInputs || definition(op).decompose === undefined;
  }

  async read(handle: Handle): Promise<Data> {
    this.#expectLive('read');
    const { spec, storage } = this.#own('read', handle);
    const size = sizeOf(spec.shape);
    if (storage.limbs) {
      const limbs = await this.#device.read(storage.limbs, size * 2);
      return Int32Array.from({ length: size }, (_, i) => limbs[i * 2]! + limbs[i * 2 + 1]! * 65536);
    }
    const values = await this.#device.read(
      new Kit(this.#device, this.#cache, 'read', '').flat({ storage }),
      size,
    );
    return spec.dtype === 'float32' ? values : arrayTypes[spec.dtype].from(values);
  }

  retain(handle: Handle): void {
    this.#expectLive('retain');
    this.#own('retain', handle).count++;
  }

  release(handle: Handle): void {
    if (this.#lost) return;
    this.#expectLive('release');
    const own = this.#own('release', handle);
    if (--own.count > 0) return;
    this.#handles--;
    this.#bytes -= this.#drop(own);
  }

  async sync(): Promise<void> {
    this.#expectLive('sync');
    await this.#device.sync();
  }

  memory(): MemoryReport {
    if (this.#disposed) this.#expectLive('memory');
    return {
      handles: this.#handles,
      bytes: this.#bytes,
      details: {
        ...this.#device.counts(),
        kernels: this.#cache.size,
        kernelsCompiled: this.#cache.compiled,
        kernelsEvicted: this.#cache.evicted,
      },
    };
  }

  onLost(listener: (error: BackendError) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` with the number of kernels compiled so far whenever one is; returns how to stop. */
  onCompile(listener: (compiled: number) => void): () => void {
    return this.#cache.watch(listener);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#handles = 0;
    this.#cache.clear();
    for (const storage of this.#storages) storage.release(this.#device);
    this.#storages.clear();
    this.#device.dispose();
  }

  #uploadLimbs(data: Int32Array): Buffer {
    const limbs = new Float32Array(data.length * 2);
    for (const [i, value] of data.entries()) {
      limbs[i * 2] = value & 0xffff;
      limbs[i * 2 + 1] = value >>> 16;
    }
    return this.#device.upload(limbs, flatLayout(limbs.length, this.#device.maxSize)!);
  }

  #make(spec: Spec, storage: Storage): GpuHandle {
    if (storage.holders++ === 0) {
      this.#storages.add(storage);
      storage.bytes = byteLength(spec);
      this.#bytes += storage.bytes;
    }
    this.#handles++;
    return new GpuHandle(spec, this, storage);
  }

  /** Ends a handle's hold on its storage; gives the bytes that were freed. */
  #drop({ storage }: GpuHandle): number {
    if (--storage.holders > 0) return 0;
    this.#storages.delete(storage);
    storage.release(this.#device);
    return storage.bytes;
  }

  #lose(): void {
    this.#lost = contextLost();
    for (const listener of this.#listeners) listener(this.#lost);
  }

  #own(op: string, handle: Handle): GpuHandle {
    if (!(handle instanceof GpuHandle) || handle.owner !== this) {
      throw new BackendError(
        'backend-mixed',
        `${op}: got a tensor of another backend on this 'gpujs' backend; move it with await tensor.to(backend)`,
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
        `${op}: this 'gpujs' backend was disposed of; create another and upload the values again`,
      );
    }
    if (this.#lost) throw this.#lost;
  }

  /** Each donation takes a count that the caller must have. */
  #expectDonations(op: string, handles: readonly GpuHandle[], donate: readonly number[]): void {
    const taken = new Map<GpuHandle, number>();
    for (const [i, position] of donate.entries()) {
      const handle = handles[position];
      if (!handle || donate.indexOf(position) !== i) {
        throw new BackendError(
          'backend-unsupported',
          `${op}: donate names position ${position} ${handle ? 'twice' : `of ${handles.length} inputs`}; expected each position of an input at most once`,
        );
      }
      const counts = (taken.get(handle) ?? 0) + 1;
      taken.set(handle, counts);
      if (counts > handle.count) {
        throw new DisposedError(
          `${op}: ${counts} counts of an input of ${formatSpec(handle.spec)} are donated, but it has ${handle.count}`,
        );
      }
    }
  }
}
