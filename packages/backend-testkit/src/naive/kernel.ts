// The form of a naive op.

import type { OpAttributes, OpName, Spec } from '@convoke/backend-api';

import type { NaiveValue } from './value.ts';

/** `outputs` are the specs that the catalogue infers. */
export type Kernel<K extends OpName> = (
  inputs: readonly NaiveValue[],
  attributes: OpAttributes[K],
  outputs: readonly Spec[],
) => NaiveValue[];

export type Kernels<K extends OpName> = { readonly [Op in K]: Kernel<Op> };
