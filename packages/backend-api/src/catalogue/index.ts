// The op catalogue: what every op takes and gives. A backend must run the required ops (those without a decomposition) and
// may run any other; what it lacks is decomposed.

import type { OpDefinition } from '../builder.ts';
import type { OpAttributes, OpName } from './attributes.ts';
import { creation } from './creation.ts';
import { elementwise } from './elementwise.ts';
import { linear } from './linear.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { optimizers } from './optimizers.ts';
import { pooling } from './pooling.ts';
import { reductions } from './reductions.ts';
import { resampling } from './resampling.ts';

export const catalogue: { readonly [K in OpName]: OpDefinition<OpAttributes[K]> } = {
  ...creation,
  ...elementwise,
  ...reductions,
  ...movement,
  ...linear,
  ...pooling,
  ...resampling,
  ...normalization,
  ...optimizers,
};

export const opNames: readonly OpName[] = Object.keys(catalogue) as OpName[];

export function definition<K extends OpName>(op: K): OpDefinition<OpAttributes[K]> {
  return catalogue[op] as OpDefinition<OpAttributes[K]>;
}

/** Ops that every backend runs: those that nothing else can stand in for. */
export function isRequired(op: OpName): boolean {
  return catalogue[op].decompose === undefined;
}
