// Random pooling windows over small inputs.

import type { Pair, Shape, Window2dAttributes } from '@convoke/backend-api';
import fc from 'fast-check';

function pair(min: number, max: number): fc.Arbitrary<Pair> {
  return fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));
}

const side = fc.integer({ min: 0, max: 3 });

export const windowCases: fc.Arbitrary<{ shape: Shape; attributes: Window2dAttributes }> = fc
  .record({
    lead: pair(0, 2),
    size: pair(1, 8),
    kernelSize: pair(1, 4),
    stride: pair(1, 3),
    padding: fc.tuple(side, side, side, side),
    dilation: pair(1, 2),
  })
  .filter(({ size, kernelSize, padding, dilation }) =>
    [0, 1].every(
      (axis) =>
        size[axis]! + padding[2 * axis]! + padding[2 * axis + 1]! >
        (kernelSize[axis]! - 1) * dilation[axis]!,
    ),
  )
  .map(({ lead, size, ...attributes }) => ({ shape: [...lead, ...size], attributes }));
