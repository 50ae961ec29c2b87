// What decompositions are written over. `core` implements it with tensors that land on the tape, the naive reference with
// plain arrays; a decomposition cannot tell.

import type { OpAttributes, OpName } from './catalogue/attributes.ts';
import type { Data, Spec } from './spec.ts';

export interface Builder<Value> {
  run<K extends OpName>(
    op: K,
    inputs: readonly Value[],
    attributes: OpAttributes[K],
  ): readonly Value[];
  constant(spec: Spec, data: Data): Value;
  spec(value: Value): Spec;
}

/** One entry of the catalogue. */
export interface OpDefinition<Attributes> {
  readonly summary: string;
  /** What the op computes, its inputs and outputs: the only place where shape rules and their messages live. */
  infer(inputs: readonly Spec[], attributes: Attributes): readonly Spec[];
  /** Absent on required ops; on optional ones the same result by other ops. */
  decompose?<Value>(
    builder: Builder<Value>,
    inputs: readonly Value[],
    attributes: Attributes,
  ): readonly Value[];
  /** Whether it computes no derivative worth having (comparisons, indices, rounding). */
  readonly gradient?: 'none';
  /** Multiply-adds the op makes, for summaries; absent where the field does not count the op. */
  macs?(inputs: readonly Spec[], outputs: readonly Spec[], attributes: Attributes): number;
}
