// Memory of the backend: reference-counted storage that handles share, the pool that released arrays wait in, and what
// counts against `maxBytes`. Allocating a large array means zeroing fresh pages; reusing one costs nothing.

import {
  allocate,
  BackendError,
  bytesPerElement,
  type Data,
  type Dtype,
} from '@convoke/backend-api';

import type { Arrays } from './kernel.ts';

/** An array and how many live handles hold it. */
export class Storage {
  readonly data: Data;
  holders = 0;

  constructor(data: Data) {
    this.data = data;
  }
}

/** Only arrays of at least this many elements are worth keeping. */
const LEAST_POOLED = 4096;
const POOL_BYTES = 64 * 2 ** 20;

/** Released Float32Arrays by exact length; the lengths longest out of use go first when it is full. */
class Pool {
  #bytes = 0;
  readonly #arrays = new Map<number, Float32Array[]>();

  get bytes(): number {
    return this.#bytes;
  }

  take(length: number): Float32Array | undefined {
    const array = this.#arrays.get(length)?.pop();
    if (array) this.#bytes -= array.byteLength;
    return array;
  }

  give(array: Float32Array): void {
    if (array.length < LEAST_POOLED || array.byteLength > POOL_BYTES) return;
    const waiting = this.#arrays.get(array.length) ?? [];
    // Setting a key anew makes it the most recent of the map.
    this.#arrays.delete(array.length);
    this.#arrays.set(array.length, waiting);
    waiting.push(array);
    this.#bytes += array.byteLength;
    for (const [length, oldest] of this.#arrays) {
      while (this.#bytes > POOL_BYTES && oldest.length > 0) this.#bytes -= oldest.pop()!.byteLength;
      if (this.#bytes <= POOL_BYTES) break;
      this.#arrays.delete(length);
    }
  }

  clear(): void {
    this.#arrays.clear();
    this.#bytes = 0;
  }
}

/** The arrays of one backend: in use by handles, taken by the op that is running, or waiting in the pool. */
export class Memory implements Arrays {
  readonly #maxBytes: number;
  readonly #pool = new Pool();
  /** Bytes of live storage, and of what the running op has taken. */
  #held = 0;
  #taken = 0;
  #op = '';

  constructor(maxBytes: number | null) {
    this.#maxBytes = maxBytes ?? Infinity;
  }

  get heldBytes(): number {
    return this.#held;
  }

  get pooledBytes(): number {
    return this.#pool.bytes;
  }

  /** Counts what is taken from here on to `op`. */
  begin(op: string): void {
    this.#op = op;
    this.#taken = 0;
  }

  take(dtype: 'float32', length: number): Float32Array<ArrayBuffer>;
  take(dtype: 'int32', length: number): Int32Array<ArrayBuffer>;
  take(dtype: Dtype, length: number): Data;
  take(dtype: Dtype, length: number): Data {
    this.#count(dtype, length);
    return (dtype === 'float32' && this.#pool.take(length)) || this.#fresh(dtype, length);
  }

  zeros(dtype: 'float32', length: number): Float32Array<ArrayBuffer>;
  zeros(dtype: 'int32', length: number): Int32Array<ArrayBuffer>;
  zeros(dtype: Dtype, length: number): Data;
  zeros(dtype: Dtype, length: number): Data {
    this.#count(dtype, length);
    const pooled = dtype === 'float32' ? this.#pool.take(length) : undefined;
    return pooled ? pooled.fill(0) : this.#fresh(dtype, length);
  }

  give(data: Data): void {
    this.#taken -= data.byteLength;
    if (data instanceof Float32Array) this.#pool.give(data);
  }

  /** Storage for an array that no handle holds yet. */
  store(data: Data): Storage {
    return new Storage(data);
  }

  hold(storage: Storage): void {
    if (storage.holders++ === 0) this.#held += storage.data.byteLength;
  }

  /** Ends one handle's hold; the last one gives the array back to the pool. */
  drop(storage: Storage): void {
    if (--storage.holders > 0) return;
    this.#held -= storage.data.byteLength;
    if (storage.data instanceof Float32Array) this.#pool.give(storage.data);
  }

  clear(): void {
    this.#pool.clear();
    this.#held = 0;
  }

  #count(dtype: Dtype, length: number): void {
    const bytes = length * bytesPerElement[dtype];
    if (this.#held + this.#taken + bytes > this.#maxBytes) {
      throw this.#shortage(
        bytes,
        `more than the maxBytes of ${this.#maxBytes} this backend was created with`,
      );
    }
    this.#taken += bytes;
  }

  #fresh(dtype: Dtype, length: number): Data {
    try {
      return allocate(dtype, length);
    } catch {
      this.#pool.clear();
    }
    try {
      return allocate(dtype, length);
    } catch (error) {
      throw this.#shortage(length * bytesPerElement[dtype], 'more than this machine gives', error);
    }
  }

  #shortage(bytes: number, limit: string, cause?: unknown): BackendError {
    return new BackendError(
      'backend-memory',
      `js: ${this.#op} needs another ${bytes} bytes while tensors hold ${this.#held} and the op itself ${this.#taken}: ${limit}. Dispose of tensors that are no longer needed (scope() does), or work on smaller batches`,
      { cause },
    );
  }
}

/** Arrays for kernels that are called without a backend: always new. */
export const freshArrays: Arrays = {
  take: allocate as Arrays['take'],
  zeros: allocate as Arrays['zeros'],
  give: () => undefined,
};
