// What was run, and what must be kept for gradients. Data only: a node knows no rule. Nodes are counted: a tensor made by
// the op and every later node that builds on it hold one count each; at zero the saved values are released.

import type { Backend, Handle, OpAttributes, OpName, Spec } from '@convoke/backend-api';

import type { Slot, Tensor } from './tensor.ts';

/** Where a gradient goes on: an earlier node (always its output 0), a slot or another leaf. */
export type Origin = { readonly node: TapeNode } | { readonly leaf: Leaf };

/** A tensor that gradients end in, by identity; `slot` where the gradient is to be kept. */
export interface Leaf {
  readonly slot: Slot | null;
}

/** A value as an op saw it; `handle` is null where no rule needs it. */
export interface Saved {
  readonly spec: Spec;
  readonly handle: Handle | null;
  readonly origin: Origin | null;
}

let clock = 0;

export class TapeNode<K extends OpName = OpName> {
  readonly op: K;
  readonly attributes: OpAttributes[K];
  readonly backend: Backend;
  readonly inputs: readonly Saved[];
  readonly outputs: readonly Saved[];
  /** Nodes are walked backward in falling order. */
  readonly order: number;
  #count = 0;
  #released = false;

  constructor(
    op: K,
    attributes: OpAttributes[K],
    backend: Backend,
    inputs: readonly Saved[],
    outputs: readonly Saved[],
  ) {
    this.op = op;
    this.attributes = attributes;
    this.backend = backend;
    this.inputs = inputs;
    this.outputs = outputs;
    this.order = clock++;
    for (const { handle, origin } of inputs) {
      if (handle) backend.retain(handle);
      if (origin && 'node' in origin) origin.node.retain();
    }
    for (const { handle } of outputs) if (handle) backend.retain(handle);
  }

  /** Whether its saved values are gone. */
  get released(): boolean {
    return this.#released;
  }

  retain(): void {
    this.#count++;
  }

  release(): void {
    this.#count--;
    if (this.#count > 0) return;
    // Long chains would overflow the stack if nodes released their inputs' nodes recursively.
    const pending: TapeNode[] = [this];
    for (let node = pending.pop(); node; node = pending.pop()) {
      node.releaseSaved();
      for (const { origin } of node.inputs) {
        if (!origin || !('node' in origin)) continue;
        origin.node.#count--;
        if (origin.node.#count === 0) pending.push(origin.node);
      }
    }
  }

  /** Frees the saved values, as a backward pass does; the graph stays, but cannot be walked again. */
  releaseSaved(): void {
    if (this.#released) return;
    this.#released = true;
    for (const { handle } of [...this.inputs, ...this.outputs])
      if (handle) this.backend.release(handle);
  }
}

/** The origin that a use of `tensor` is to be noted with, or null where no gradient is wanted of it. */
export function originOf(tensor: Tensor): Origin | null {
  if (!tensor.requiresGrad) return null;
  return tensor.node ? { node: tensor.node } : { leaf: tensor.leaf! };
}
