// A kind of golden case: how its content gives it away, and how core's functions compute it.

import { DataError } from '@convoke/backend-api';
import type { Tensor } from '@convoke/core';

import type { Attributes } from './attributes.ts';
import type { GoldenCase, GoldenTensor } from './case.ts';

export interface Inputs {
  /** Throws a DataError where the case has no such input. */
  of(name: string): Tensor;
  find(name: string): Tensor | undefined;
}

export interface Kind {
  /** How tables of results call it. */
  readonly name: string;
  /**
   * Where a case has a word `op` among its attributes, that word alone decides: it is the kind's name. Where it has none, the
   * attributes and inputs listed here must be there, null or not, and `when` must hold.
   */
  readonly attrs: readonly string[];
  readonly inputs: readonly string[];
  readonly when?: (goldenCase: GoldenCase) => boolean;
  /** The case's outputs under the names of the file, without gradients; what the file does not list is ignored. */
  readonly compute: (
    inputs: Inputs,
    attrs: Attributes,
    goldenCase: GoldenCase,
  ) => Record<string, Tensor>;
  /** The reference values, where they don't stand in `outputs`. */
  readonly expected?: (goldenCase: GoldenCase) => Record<string, GoldenTensor>;
}

/** An input's values and shape before anything was computed, for kinds that only their numbers tell apart. */
export function hostTensor(tensors: GoldenCase['inputs'], name: string): GoldenTensor {
  const tensor = tensors?.[name];
  if (!tensor) throw new DataError(`golden case: there is no tensor '${name}'`);
  return tensor;
}
