// How an op of the catalogue is planned: which order of elements its inputs must have, which its outputs get, and which
// kernels run. Planners know nothing of handles, counts or who else holds an input.

import { bytesPerElement, type OpAttributes, type OpName, type Spec } from '@convoke/backend-api';

import type { ElementBytes } from '../kernels/movement.ts';
import type { Planning } from '../planning.ts';

/**
 * Encodes an op and asks for memory for every output in turn. Required ops take tensors without elements too; what is
 * optional is decomposed for these.
 */
export type Planner<K extends OpName> = (p: Planning, attributes: OpAttributes[K]) => void;

export type Planners = { readonly [K in OpName]?: Planner<K> };

export function elementBytesOf({ dtype }: Spec): ElementBytes {
  return bytesPerElement[dtype] as ElementBytes;
}
