// The values that the naive reference computes with: float64 arrays in C order, whatever the dtype says.

import {
  allocate,
  sizeOf,
  type Data,
  type Dtype,
  type Shape,
  type Spec,
} from '@convoke/backend-api';

export interface NaiveValue {
  readonly spec: Spec;
  readonly data: Float64Array;
}

export function fromData(spec: Spec, data: ArrayLike<number>): NaiveValue {
  return { spec, data: Float64Array.from(data) };
}

/** The value in its host form, rounded to the dtype. */
export function toData({ spec, data }: NaiveValue): Data {
  const result = allocate(spec.dtype, data.length);
  result.set(data);
  return result;
}

/** What a dtype makes of a number: whole numbers wrap at their width, a bool is 0 or 1, float32 stays unrounded. */
export function asDtype(value: number, dtype: Dtype): number {
  if (dtype === 'int32') return value | 0;
  if (dtype === 'uint8') return value & 255;
  if (dtype === 'bool') return Number(value !== 0);
  return value;
}

/** Calls `visit` for every position in C order. The index array is reused. */
export function eachIndex(shape: Shape, visit: (index: number[], flat: number) => void): void {
  const size = sizeOf(shape);
  const index = shape.map(() => 0);
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** Flat position of `index` in a tensor of `shape`; leading axes and axes of length 1 are read as broadcast. */
export function offsetOf(shape: Shape, index: readonly number[]): number {
  const lead = index.length - shape.length;
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    offset = offset * shape[axis]! + (shape[axis] === 1 ? 0 : index[axis + lead]!);
  }
  return offset;
}

/** A new tensor whose element at each index is what `element` says. */
export function build(
  spec: Spec,
  element: (index: readonly number[], flat: number) => number,
): NaiveValue {
  const data = new Float64Array(sizeOf(spec.shape));
  eachIndex(spec.shape, (index, flat) => {
    data[flat] = asDtype(element(index, flat), spec.dtype);
  });
  return { spec, data };
}
