// The device that knows shapes only: summaries and multiply-add counts of networks of any size in no memory.

import type { Backend, Handle } from './backend.ts';
import { definition } from './catalogue/index.ts';
import type { OpAttributes, OpName } from './catalogue/attributes.ts';
import { DatalessBackend } from './dataless.ts';
import type { Spec } from './spec.ts';

export interface MetaBackend extends Backend {
  /** Multiply-adds of convolutions and matrix products since creation or the last `reset`. */
  readonly macs: number;
  reset(): void;
}

const specsOf = (handles: readonly Handle[]): Spec[] => handles.map(({ spec }) => spec);

class Meta extends DatalessBackend implements MetaBackend {
  readonly name = 'meta';
  macs = 0;

  protected note<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    outputs: readonly Handle[],
  ): void {
    this.macs += definition(op).macs?.(specsOf(inputs), specsOf(outputs), attributes) ?? 0;
  }

  reset(): void {
    this.macs = 0;
  }
}

export function createMeta(): MetaBackend {
  return new Meta();
}
