// Memory of tensors: reference-counted storage that handles share, each with the forms it was converted to (another order of
// its elements, packed filters), which are kept as long as the storage lives or until memory is short.

import { BackendError } from '@convoke/backend-api';

import type { Block } from './allocator.ts';
import type { Order } from './order.ts';
import { noRisks, type Risk } from './risks.ts';

/** What storage needs of an engine. Memory freed may be handed out at once: commands run in order. */
export interface Heap {
  allocate(bytes: number, purpose: string): Block;
  free(block: Block): void;
}

interface Form {
  readonly block: Block;
  /** The op that used it last, as counted by `Store.beginOp`. */
  usedBy: number;
}

/** The value of a tensor, whatever its shape: it never changes once written. */
export class Storage {
  readonly elements: number;
  readonly elementBytes: number;
  readonly order: Order;
  /** Null once donated: the memory is another storage's now. */
  block: Block | null;
  /** Whether all elements are the same, so that every order is as good. */
  readonly uniform: boolean;
  /** Live handles on it. */
  holders = 0;
  forms: Map<string, Form> | null = null;
  /** The form that was last asked for without being made. */
  asked: string | null = null;
  /** Ops whose failure would have spoilt it. */
  risks: readonly Risk[] = noRisks;

  constructor(elements: number, elementBytes: number, order: Order, block: Block, uniform = false) {
    this.elements = elements;
    this.elementBytes = elementBytes;
    this.order = order;
    this.block = block;
    this.uniform = uniform;
  }

  get bytes(): number {
    return this.elements * this.elementBytes;
  }
}

export class Store {
  readonly #heap: Heap;
  readonly #withForms = new Set<Storage>();
  #op = 0;
  /** Forms made since `beginOp`: worthless should the op be given up. */
  #fresh: { readonly storage: Storage; readonly key: string }[] = [];
  #heldBytes = 0;
  #formBytes = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get formBytes(): number {
    return this.#formBytes;
  }

  /** Forms used from here on are kept until the next op begins, however short memory is. */
  beginOp(): void {
    this.#op++;
    if (this.#fresh.length > 0) this.#fresh = [];
  }

  /** Drops the forms made since `beginOp`. */
  undoOp(): void {
    for (const { storage, key } of this.#fresh) this.#dropForm(storage, key);
    this.#fresh = [];
  }

  allocate(bytes: number, purpose: string): Block {
    return this.insist(() => this.#heap.allocate(bytes, purpose));
  }

  /** Does again what fails for want of memory once the forms are given up that the present op does not use. */
  insist<T>(take: () => T): T {
    try {
      return take();
    } catch (error) {
      const short = error instanceof BackendError && error.code === 'backend-memory';
      if (!short || !this.#dropUnusedForms()) throw error;
    }
    return take();
  }

  free(block: Block): void {
    this.#heap.free(block);
  }

  hold(storage: Storage): void {
    if (storage.holders++ === 0) this.#heldBytes += storage.bytes;
  }

  /** Ends one handle's hold; the last one frees the memory. */
  drop(storage: Storage): void {
    if (--storage.holders > 0) return;
    this.#heldBytes -= storage.bytes;
    if (storage.forms) for (const key of storage.forms.keys()) this.#dropForm(storage, key);
    if (storage.block) this.#heap.free(storage.block);
    storage.block = null;
  }

  /** The block of a form of `storage`; with `make` called to encode its content where it is new. */
  form(
    storage: Storage,
    key: string,
    bytes: number,
    purpose: string,
    make: (address: number) => void,
  ): number {
    const known = storage.forms?.get(key);
    if (known) {
      known.usedBy = this.#op;
      return known.block.address;
    }
    const block = this.allocate(bytes, purpose);
    storage.forms ??= new Map();
    storage.forms.set(key, { block, usedBy: this.#op });
    this.#withForms.add(storage);
    this.#fresh.push({ storage, key });
    this.#formBytes += bytes;
    make(block.address);
    return block.address;
  }

  clear(): void {
    this.#withForms.clear();
    this.#heldBytes = this.#formBytes = 0;
  }

  #dropUnusedForms(): boolean {
    let dropped = false;
    for (const storage of this.#withForms) {
      for (const [key, { usedBy }] of storage.forms!) {
        if (usedBy === this.#op) continue;
        this.#dropForm(storage, key);
        dropped = true;
      }
    }
    return dropped;
  }

  #dropForm(storage: Storage, key: string): void {
    const form = storage.forms?.get(key);
    if (!form) return;
    storage.forms!.delete(key);
    if (storage.forms!.size === 0) {
      storage.forms = null;
      this.#withForms.delete(storage);
    }
    this.#formBytes -= form.block.bytes;
    this.#heap.free(form.block);
  }
}
