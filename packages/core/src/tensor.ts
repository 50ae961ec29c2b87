// What a tensor is: shape, dtype, backend and a handle to the value. Everything computed from it is a function in ops/.

import {
  BackendError,
  DisposedError,
  DtypeError,
  SPEC_VERSION,
  ShapeError,
  claimSingleCopy,
  formatShape,
  sameSpec,
  sizeOf,
  type Backend,
  type Data,
  type Dtype,
  type Handle,
  type Shape,
  type Spec,
} from '@convoke/backend-api';

import { noteCreated, noteDisposed } from './leaks.ts';
import { formatTensor, nest, type Nested } from './print.ts';
import { track, untrack } from './scope.ts';
import type { Leaf, TapeNode } from './tape.ts';

const token = {};
let claimed = false;

/** Tensors of two copies of this package would not see each other's scopes and tape. */
function claim(): void {
  if (claimed) return;
  claimSingleCopy('@convoke/core', SPEC_VERSION, token);
  claimed = true;
}

export class Tensor {
  readonly isTensor: true = true;
  readonly #spec: Spec;
  #backend: Backend;
  #handle: Handle | null;
  #node: TapeNode | null;
  /** Set on tensors that gradients end in. */
  leaf: Leaf | null = null;

  /** Takes over one count of `handle`. Made by ops; use `tensor()`, `zeros()` and the like to create one. */
  constructor(backend: Backend, handle: Handle, node: TapeNode | null = null) {
    claim();
    this.#backend = backend;
    this.#handle = handle;
    this.#spec = handle.spec;
    this.#node = node;
    node?.retain();
    track(this);
    noteCreated(this);
  }

  get shape(): Shape {
    return this.#spec.shape;
  }

  get dtype(): Dtype {
    return this.#spec.dtype;
  }

  get spec(): Spec {
    return this.#spec;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.#spec.shape);
  }

  get backend(): Backend {
    return this.#backend;
  }

  /** The op that made it, where gradients are wanted. */
  get node(): TapeNode | null {
    return this.#node;
  }

  get requiresGrad(): boolean {
    return this.#node !== null || this.leaf !== null;
  }

  get disposed(): boolean {
    return this.#handle === null;
  }

  /** The backend's handle. Throws a DisposedError after disposal. */
  get handle(): Handle {
    return this.handleFor('tensor.handle');
  }

  /** The handle for an op or method, which a DisposedError names, with the input's position where there are several. */
  handleFor(use: string, position?: number): Handle {
    if (this.#handle) return this.#handle;
    const what = `${this.dtype} tensor of shape ${formatShape(this.shape)}`;
    const which = position === undefined ? `the ${what}` : `input ${position}, a ${what},`;
    throw new DisposedError(
      `${use}: ${which} was disposed before; keep() it or return it from its scope if it is needed later`,
    );
  }

  /** The elements in C order, an own copy of the value as it is now. Waits for the computation. */
  async data(): Promise<Data> {
    return this.#backend.read(this.handleFor('data'));
  }

  /** As `data`, at once; only on backends that can. */
  dataSync(): Data {
    if (!this.#backend.readSync || !this.#backend.capabilities.readSync) {
      throw new BackendError(
        'backend-unsupported',
        `backend '${this.#backend.name}' cannot be read synchronously; use await tensor.data()`,
      );
    }
    return this.#backend.readSync(this.handleFor('dataSync'));
  }

  /** The value of a tensor with one element. */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new ShapeError(
        `item: expected a tensor of one element, got shape ${formatShape(this.shape)}`,
      );
    }
    return (await this.data())[0]!;
  }

  /** The elements as nested arrays; a plain number for rank 0. */
  async array(): Promise<Nested> {
    return nest(await this.data(), this.shape);
  }

  /**
   * A copy on another backend, which belongs to no scope. Throws on a tensor with gradient history: detach() it first. If it
   * fails, this tensor is as it was.
   */
  async to(backend: Backend): Promise<Tensor> {
    if (this.#node) {
      throw new BackendError(
        'backend-mixed',
        `to: the tensor of shape ${formatShape(this.shape)} has gradient history, which cannot move to backend '${backend.name}'; detach() it first`,
      );
    }
    const data = await this.data();
    return new Tensor(backend, backend.upload(this.#spec, data));
  }

  /** Releases the value. Disposing twice is harmless. */
  dispose(): void {
    const handle = this.#handle;
    if (!handle) return;
    this.forget();
    this.#backend.release(handle);
  }

  /** Marks the tensor disposed without a release: its count was consumed by donation. */
  forget(): void {
    if (!this.#handle) return;
    this.#handle = null;
    this.#node?.release();
    untrack(this);
    noteDisposed(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Shape, dtype and backend; the elements too where the backend can be read at once, or why they cannot be. */
  toString(): string {
    if (this.disposed) return `Tensor(disposed, ${this.dtype} ${formatShape(this.shape)})`;
    if (!this.#backend.readSync || !this.#backend.capabilities.readSync) {
      return formatTensor(this.#spec, this.#backend.name, null);
    }
    try {
      return formatTensor(this.#spec, this.#backend.name, this.dataSync());
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return `${formatTensor(this.#spec, this.#backend.name, null)}\n${why}`;
    }
  }

  /** For slots: another value of the same shape and dtype in place of the present one, whose count is released. */
  protected replace(backend: Backend, handle: Handle): void {
    if (!sameSpec(this.#spec, handle.spec)) {
      throw new ShapeError(
        `assign: expected ${this.dtype} ${formatShape(this.shape)}, got ${handle.spec.dtype} ${formatShape(handle.spec.shape)}`,
      );
    }
    const old = this.handleFor('assign');
    const owner = this.#backend;
    this.#backend = backend;
    this.#handle = handle;
    owner.release(old);
  }

  /** For `assign`: gives the handle away, count included; the tensor is then disposed. */
  take(): { backend: Backend; handle: Handle } {
    const handle = this.handleFor('assign');
    const backend = this.#backend;
    backend.retain(handle);
    this.dispose();
    return { backend, handle };
  }
}

/** A named place that holds a value outside scopes: a parameter, a buffer, a gradient, optimiser state. */
export class Slot extends Tensor {
  /** Where `backward` adds the gradient; null until then. */
  grad: Slot | null = null;
  /** Whether it is there to be trained, frozen or not; false for buffers, gradients and optimiser state. */
  readonly isParameter: boolean;

  constructor(backend: Backend, handle: Handle, isParameter = false) {
    super(backend, handle);
    this.isParameter = isParameter;
    untrack(this);
  }

  /**
   * Takes the value of `value` over and disposes `value`. Shape, dtype and backend must be the slot's. A value on a recorder
   * becomes an update in its program: the slot then stands for the new value in what is recorded, and keeps its own.
   */
  assign(value: Tensor): void {
    const own = this.handleFor('assign');
    if (value === this) return;
    const recorder = value.backend !== this.backend && value.backend.update ? value.backend : null;
    if (value.backend !== this.backend && !recorder) {
      throw new BackendError(
        'backend-mixed',
        `assign: the slot is on backend '${this.backend.name}', the value on ${value.backend.name === this.backend.name ? 'another instance of it' : `'${value.backend.name}'`}; move the value with await tensor.to(backend)`,
      );
    }
    if (!sameSpec(this.spec, value.spec)) {
      throw new ShapeError(
        `assign: expected ${this.dtype} ${formatShape(this.shape)}, got ${value.dtype} ${formatShape(value.shape)}`,
      );
    }
    if (recorder) {
      recorder.update!(this.backend, own, value.handle);
      value.dispose();
      return;
    }
    const { backend, handle } = value.take();
    this.replace(backend, handle);
  }

  /** Switches to a value uploaded elsewhere, in one synchronous step. */
  moveTo(backend: Backend, handle: Handle): void {
    this.replace(backend, handle);
  }

  /** Stops (or resumes) gradients to this slot. */
  setRequiresGrad(wanted: boolean): void {
    if (wanted && this.dtype !== 'float32') {
      throw new DtypeError(
        `setRequiresGrad: gradients flow to float32 only, the slot is ${this.dtype} ${formatShape(this.shape)}; convert its value with cast() first`,
      );
    }
    this.leaf = wanted ? { slot: this } : null;
  }

  clearGrad(): void {
    this.grad?.dispose();
    this.grad = null;
  }

  override dispose(): void {
    this.clearGrad();
    super.dispose();
  }
}

/** A slot that gradients flow to. Takes over the value of `value` and disposes it. */
export function parameter(value: Tensor): Slot {
  if (value.dtype !== 'float32') {
    throw new DtypeError(
      `parameter: expected float32, got ${value.dtype} ${formatShape(value.shape)}; convert it with cast(), or make it a buffer()`,
    );
  }
  const { backend, handle } = value.take();
  const slot = new Slot(backend, handle, true);
  slot.setRequiresGrad(true);
  return slot;
}

/** A slot without gradient. Takes over the value of `value` and disposes it. */
export function buffer(value: Tensor): Slot {
  const { backend, handle } = value.take();
  return new Slot(backend, handle);
}
