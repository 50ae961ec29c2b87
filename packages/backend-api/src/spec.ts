// What a tensor is without its data: shape and dtype, with the arithmetic on shapes that op rules and backends share.

import { DtypeError, ShapeError } from './errors.ts';

/** `bool` is stored as a byte, 0 or 1. */
export type Dtype = 'float32' | 'int32' | 'uint8' | 'bool';

export type Shape = readonly number[];

export interface Spec {
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/** The host's form of a tensor's elements, in C order (the last axis varies fastest). */
export type Data = Float32Array | Int32Array | Uint8Array;

/** Tensors have at most this many axes. */
export const MAX_RANK = 6;

export const bytesPerElement: Readonly<Record<Dtype, number>> = {
  float32: 4,
  int32: 4,
  uint8: 1,
  bool: 1,
};

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

export function byteLength(spec: Spec): number {
  return sizeOf(spec.shape) * bytesPerElement[spec.dtype];
}

/** Elements to skip for one step along each axis of a contiguous tensor in C order. */
export function stridesOf(shape: Shape): number[] {
  const strides = Array.from({ length: shape.length }, () => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

export function sameSpec(a: Spec, b: Spec): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

export function allocate(dtype: Dtype, size: number): Data {
  if (dtype === 'float32') return new Float32Array(size);
  return dtype === 'int32' ? new Int32Array(size) : new Uint8Array(size);
}

/** `[2, 3]`, as shapes are written in messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** `float32 [2, 3]`. */
export function formatSpec({ dtype, shape }: Spec): string {
  return `${dtype} ${formatShape(shape)}`;
}

/** The common shape of `shapes` by NumPy's rules, or null where they do not broadcast. */
export function broadcastShapes(...shapes: readonly Shape[]): number[] | null {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result = Array.from({ length: rank }, () => 1);
  for (const shape of shapes) {
    for (let i = 1; i <= shape.length; i++) {
      const length = shape[shape.length - i]!;
      const known = result[rank - i]!;
      if (known === 1) result[rank - i] = length;
      else if (length !== 1 && length !== known) return null;
    }
  }
  return result;
}

/**
 * Strides to walk a contiguous tensor of `shape` as if it were broadcast to `target`: 0 along the axes that repeat.
 * `shape` must broadcast to `target`.
 */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const own = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead]!));
}

/** `axis` counted from the front; negative axes count from the end. Throws a ShapeError out of range. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? 'a scalar has no axes' : `expected ${-rank} to ${rank - 1}`;
    throw new ShapeError(`${op}: axis ${axis} is out of range for rank ${rank}; ${range}`);
  }
  return axis < 0 ? axis + rank : axis;
}

/** Checks that `shape` is a list of at most 6 whole numbers >= 0. */
export function checkShape(op: string, shape: Shape): void {
  if (!Array.isArray(shape) || shape.length > MAX_RANK) {
    throw new ShapeError(
      `${op}: a shape is an array of 0 to ${MAX_RANK} lengths, got ${String(shape)}`,
    );
  }
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ShapeError(
      `${op}: lengths of a shape are whole numbers >= 0, got ${formatShape(shape)}`,
    );
  }
}

/** Checks that `dtype` is one there is. */
export function checkDtype(op: string, dtype: Dtype): void {
  if (Object.hasOwn(bytesPerElement, dtype)) return;
  const known = Object.keys(bytesPerElement).join(', ');
  throw new DtypeError(`${op}: there is no dtype '${String(dtype)}'; expected one of ${known}`);
}
