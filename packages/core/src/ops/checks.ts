// Checks that several ops make of their arguments before they compose others, so that messages name the op that was called.

import { DtypeError, formatShape, formatSpec, ShapeError } from '@convoke/backend-api';

import { expectTensor } from '../kinds.ts';
import type { Tensor } from '../tensor.ts';

export function expectFloat32(op: string, what: string, x: Tensor): void {
  expectTensor(op, `the ${what}`, x);
  if (x.dtype !== 'float32') {
    throw new DtypeError(
      `${op}: the ${what} is ${formatSpec(x.spec)}; expected float32. Convert it with cast() first`,
    );
  }
}

/** Images [N, C, H, W] with at least one pixel. */
export function expectImages(op: string, x: Tensor): void {
  expectTensor(op, 'the input', x);
  if (x.shape.length !== 4 || x.shape[2] === 0 || x.shape[3] === 0) {
    throw new ShapeError(
      `${op}: the input has shape ${formatShape(x.shape)}; expected [N, C, H, W] with H and W of at least 1`,
    );
  }
}
