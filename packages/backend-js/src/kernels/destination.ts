// Where an elementwise result goes: over a donated input that nobody else holds, or into a new array.

import { sizeOf, type Data, type Spec } from '@convoke/backend-api';

import type { Arrays, Value } from '../kernel.ts';

/**
 * An array for an output whose every element depends on the inputs' elements at the same place. An input with as many
 * elements as the output is walked as it lies, so overwriting it behind the reading is safe.
 */
export function destination(
  { shape, dtype }: Spec,
  inputs: readonly Value[],
  reuse: readonly (Data | null)[],
  arrays: Arrays,
): Data {
  const size = sizeOf(shape);
  for (const [i, data] of reuse.entries()) {
    if (data && data.length === size && inputs[i]!.spec.dtype === dtype) return data;
  }
  return arrays.take(dtype, size);
}
