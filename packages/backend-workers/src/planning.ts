// What the planner of an op works with: its inputs in the order of elements it wants, memory for its outputs, forms of its
// inputs that are kept, and the encoder. Nothing it does takes effect before `finish`; `undo` takes all of it back.

import { bytesPerElement, sizeOf, type OpName, type Spec } from '@convoke/backend-api';

import type { Encoder } from './encoder.ts';
import type { Failure } from './failure.ts';
import { planPermute, type ElementBytes } from './kernels/movement.ts';
import { plain, sameOrder, type Order } from './order.ts';
import { Storage, type Store } from './storage.ts';

/** A tensor as planners see it. */
export interface Value {
  readonly spec: Spec;
  readonly storage: Storage;
}

export class Planning {
  readonly encoder: Encoder;
  readonly #store: Store;
  op: OpName = 'fill';
  inputs: readonly Value[] = [];
  outputs: readonly Spec[] = [];
  /** How a failure that comes late is told, for ops that may have one. */
  late: ((failure: Failure) => Error) | null = null;
  #reusable: readonly boolean[] = [];
  #results: Storage[] = [];
  /** Donated storages whose memory an output takes over. */
  #taken: Storage[] = [];

  constructor(encoder: Encoder, store: Store) {
    this.encoder = encoder;
    this.#store = store;
  }

  /** `reusable[i]`: whether input i was donated and nobody else holds its storage. */
  begin(
    op: OpName,
    inputs: readonly Value[],
    outputs: readonly Spec[],
    reusable: readonly boolean[],
  ): void {
    this.op = op;
    this.inputs = inputs;
    this.outputs = outputs;
    this.late = null;
    this.#reusable = reusable;
    this.#results = [];
    this.#taken = [];
    this.#store.beginOp();
  }

  /** The storages of the outputs; from here on they are the caller's to hold. */
  finish(): readonly Storage[] {
    for (const storage of this.#taken) storage.block = null;
    const results = this.#results;
    this.#forget();
    return results;
  }

  undo(): void {
    for (const storage of this.#results) {
      if (storage.holders === 0 && !this.#taken.some(({ block }) => block === storage.block)) {
        this.#store.free(storage.block!);
      }
    }
    this.#store.undoOp();
    this.#forget();
  }

  /** Address of input `i` in an order of elements; converted, once in the life of its storage, where it lies otherwise. */
  at(i: number, order: Order = plain): number {
    return this.addressOf(this.inputs[i]!.storage, order);
  }

  /** How input `i` lies in memory. */
  orderOf(i: number): Order {
    return this.inputs[i]!.storage.order;
  }

  /** Address of input `i` as it lies in memory. */
  asIs(i: number): number {
    return this.inputs[i]!.storage.block!.address;
  }

  addressOf(storage: Storage, order: Order): number {
    if (storage.uniform || sameOrder(storage.order, order)) return storage.block!.address;
    const key = order.channels === 1 ? 'plain' : `channels last ${order.channels} ${order.plane}`;
    return this.#store.form(storage, key, storage.bytes, this.op, (address) => {
      this.#reorder(storage, order, address);
    });
  }

  /** Address of a form of input `i` that `make` encodes where it is not there yet. `key` names all that it depends on. */
  form(i: number, key: string, bytes: number, make: (address: number) => void): number {
    return this.#store.form(this.inputs[i]!.storage, key, bytes, this.op, make);
  }

  /**
   * Whether a form of input `i` is there already, or was asked for before: one that is needed a second time will be needed
   * again, and is worth its memory.
   */
  isWorthKeeping(i: number, key: string): boolean {
    const { storage } = this.inputs[i]!;
    if (storage.forms?.has(key) || storage.asked === key) return true;
    storage.asked = key;
    return false;
  }

  /**
   * Memory for the next output, in an order of elements. It may be that of an input of `reuse`, if that was donated and lies
   * in the same order: then the op writes each element where it has read it.
   */
  output(order: Order = plain, ...reuse: readonly number[]): number {
    const { shape, dtype } = this.outputs[this.#results.length]!;
    const elements = sizeOf(shape);
    const width = bytesPerElement[dtype];
    const donor = this.#donor(elements * width, order, reuse);
    const block = donor?.block ?? this.#store.allocate(elements * width, this.op);
    if (donor) this.#taken.push(donor);
    this.#results.push(new Storage(elements, width, order, block));
    return block.address;
  }

  /** Memory for the next output, all of whose elements will be the same. */
  uniformOutput(): number {
    const { shape, dtype } = this.outputs[this.#results.length]!;
    const [elements, width] = [sizeOf(shape), bytesPerElement[dtype]];
    const block = this.#store.allocate(elements * width, this.op);
    this.#results.push(new Storage(elements, width, plain, block, true));
    return block.address;
  }

  /** Makes the next output the very storage of input `i`: values never change, so they can be shared. */
  share(i: number): void {
    this.#results.push(this.inputs[i]!.storage);
  }

  /** Writes a value to `address` in another order. */
  #reorder(storage: Storage, order: Order, address: number): void {
    const from = storage.order;
    if (from.channels !== 1 && order.channels !== 1) {
      transpose(
        this.encoder,
        storage,
        { from: this.addressOf(storage, plain), to: address },
        order,
      );
    } else {
      const known = from.channels === 1 ? order : { channels: from.plane, plane: from.channels };
      transpose(this.encoder, storage, { from: storage.block!.address, to: address }, known);
    }
  }

  #donor(bytes: number, order: Order, reuse: readonly number[]): Storage | null {
    for (const i of reuse) {
      const { storage } = this.inputs[i]!;
      const fits =
        this.#reusable[i] &&
        storage.bytes === bytes &&
        (storage.uniform || sameOrder(storage.order, order)) &&
        !this.#taken.includes(storage) &&
        !this.#results.includes(storage);
      if (fits) return storage;
    }
    return null;
  }

  #forget(): void {
    this.inputs = [];
    this.#results = [];
    this.#taken = [];
  }
}

/** Encodes the exchange of channels and plane in each of a value's blocks. */
export function transpose(
  encoder: Encoder,
  { elements, elementBytes }: Pick<Storage, 'elements' | 'elementBytes'>,
  { from, to }: { readonly from: number; readonly to: number },
  { channels, plane }: Order,
): void {
  planPermute(encoder, {
    x: { address: from, shape: [elements / (channels * plane), channels, plane] },
    y: to,
    elementBytes: elementBytes as ElementBytes,
    permutation: [0, 2, 1],
  });
}
