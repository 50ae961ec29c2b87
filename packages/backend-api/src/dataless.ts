// What the two devices without data have in common: they infer shapes, count handles and refuse to be read.

import type { Backend, Capabilities, Handle, MemoryReport } from './backend.ts';
import { SPEC_VERSION } from './backend.ts';
import { definition } from './catalogue/index.ts';
import type { OpAttributes, OpName } from './catalogue/attributes.ts';
import { BackendError, DisposedError } from './errors.ts';
import type { Data, Spec } from './spec.ts';

const capabilities: Capabilities = {
  dtypes: ['float32', 'int32', 'uint8', 'bool'],
  epsilon: 2 ** -24,
  nonFinite: true,
  checksIndices: false,
  maxBytes: null,
  readSync: false,
  threads: 1,
  deterministic: true,
};

export abstract class DatalessBackend implements Backend {
  abstract readonly name: string;
  readonly specVersion: number = SPEC_VERSION;
  readonly capabilities: Capabilities = capabilities;
  readonly #counts = new WeakMap<Handle, number>();
  #live = 0;
  #disposed = false;

  protected abstract note(
    op: OpName,
    inputs: readonly Handle[],
    attributes: OpAttributes[OpName],
    outputs: readonly Handle[],
  ): void;

  /** A new handle with count 1. */
  protected make(spec: Spec): Handle {
    this.#expectAlive();
    const handle = { spec };
    this.#counts.set(handle, 1);
    this.#live++;
    return handle;
  }

  upload(spec: Spec, _data: Data): Handle {
    return this.make(spec);
  }

  run<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    donate: readonly number[] = [],
  ): readonly Handle[] {
    const specs = inputs.map((handle) => handle.spec);
    const outputs = definition(op)
      .infer(specs, attributes)
      .map((spec) => this.make(spec));
    this.note(op, inputs, attributes, outputs);
    for (const position of donate) this.release(inputs[position]!);
    return outputs;
  }

  supports(): boolean {
    return true;
  }

  read(handle: Handle): Promise<Data> {
    const { name } = this;
    return Promise.reject(
      new BackendError(
        'backend-unsupported',
        `${name}: there is no data to read behind a tensor of shape [${handle.spec.shape.join(', ')}]; this device only infers shapes. Run the computation on another backend`,
      ),
    );
  }

  retain(handle: Handle): void {
    const count = this.#counts.get(handle) ?? 0;
    this.#counts.set(handle, count + 1);
    if (count === 0) this.#live++;
  }

  release(handle: Handle): void {
    const count = (this.#counts.get(handle) ?? 0) - 1;
    this.#counts.set(handle, count);
    if (count === 0) this.#live--;
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  memory(): MemoryReport {
    this.#expectAlive();
    return { handles: this.#live, bytes: 0 };
  }

  onLost(): () => void {
    return () => undefined;
  }

  dispose(): void {
    this.#live = 0;
    this.#disposed = true;
  }

  #expectAlive(): void {
    if (this.#disposed) {
      throw new DisposedError(`${this.name}: this device was disposed; create another`);
    }
  }
}
