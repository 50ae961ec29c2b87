// An axis seen as the middle one of three: what lies before it, its own length, what lies after it.

import { sizeOf, type Shape } from '@convoke/backend-api';

export interface AxisView {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

export function aroundAxis(shape: Shape, axis: number): AxisView {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    length: shape[axis]!,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}
