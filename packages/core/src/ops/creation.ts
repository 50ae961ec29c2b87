// Tensors from host values, from constants and from nothing but a shape.

import {
  allocate,
  checkDtype,
  checkShape,
  DataError,
  DtypeError,
  formatShape,
  ShapeError,
  sizeOf,
  type Backend,
  type Data,
  type Dtype,
  type Shape,
} from '@convoke/backend-api';

import { fromHost } from '../creation.ts';
import { run } from '../dispatch.ts';
import { kindOf } from '../kinds.ts';
import { scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { holds } from './operands.ts';

/** Nested arrays of numbers or booleans, as deep as the tensor has axes. */
export type NestedValues = number | boolean | readonly NestedValues[];

export type NumericArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Uint8ClampedArray;

export interface PlaceOptions {
  /** Default: the current backend. */
  readonly backend?: Backend | undefined;
}

export interface CreationOptions extends PlaceOptions {
  /** Default float32. */
  readonly dtype?: Dtype | undefined;
}

export interface TensorOptions extends PlaceOptions {
  /** Default: that of the nested arrays, or the length of a flat list. */
  readonly shape?: Shape | undefined;
  /** Default: bool for booleans, int32 for an Int32Array, uint8 for bytes, float32 for all else. */
  readonly dtype?: Dtype | undefined;
}

function isNumericArray(values: NestedValues | NumericArray): values is NumericArray {
  return ArrayBuffer.isView(values) && !(values instanceof DataView);
}

interface Flat {
  readonly values: (number | boolean)[];
  readonly shape: number[];
}

function at(path: readonly number[]): string {
  return path.length === 0 ? 'the value' : `element [${path.join('][')}]`;
}

/** The shape along first elements; every other element must agree with it. */
function flatten(nested: NestedValues): Flat {
  const shape: number[] = [];
  for (let first: unknown = nested; Array.isArray(first); first = first[0])
    shape.push(first.length);
  checkShape('tensor', shape);
  const values: (number | boolean)[] = [];
  const visit = (value: NestedValues, path: readonly number[]): void => {
    const depth = path.length;
    if (Array.isArray(value)) {
      if (depth >= shape.length || value.length !== shape[depth]) {
        const expected = depth < shape.length ? `${shape[depth]} elements` : 'a number';
        throw new ShapeError(
          `tensor: the nested arrays are ragged: ${at(path)} has ${value.length} elements; expected ${expected}, like the elements before it`,
        );
      }
      value.forEach((item: NestedValues, i) => visit(item, [...path, i]));
      return;
    }
    if (typeof value !== 'number' && typeof value !== 'boolean') {
      throw new DataError(
        `tensor: ${at(path)} is ${kindOf(value)}; expected a number or a boolean`,
      );
    }
    if (depth !== shape.length) {
      throw new ShapeError(
        `tensor: the nested arrays are ragged: ${at(path)} is a ${typeof value}; expected an array of ${shape[depth]} elements, like the elements before it`,
      );
    }
    values.push(value);
  };
  visit(nested, []);
  return { values, shape };
}

function naturalDtype(values: NumericArray | readonly (number | boolean)[]): Dtype {
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof Uint8Array || values instanceof Uint8ClampedArray) return 'uint8';
  const booleans =
    Array.isArray(values) && values.length > 0 && values.every((v) => typeof v === 'boolean');
  return booleans ? 'bool' : 'float32';
}

function convert(values: NumericArray | readonly (number | boolean)[], dtype: Dtype): Data {
  if (dtype === 'float32' && values instanceof Float32Array) return values;
  if (dtype === 'int32' && values instanceof Int32Array) return values;
  if (dtype === 'uint8' && values instanceof Uint8Array) return values;
  const data = allocate(dtype, values.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(values[i]);
    if (!holds(dtype, value)) {
      throw new DataError(
        `tensor: element ${i} is ${value}, which ${dtype} cannot hold; pass another dtype, or convert with cast()`,
      );
    }
    data[i] = value;
  }
  return data;
}

/**
 * A tensor of host values, which are copied. Throws a ShapeError for ragged arrays and for a `shape` that the values do not
 * fill, a DataError for values that are no numbers or that the dtype cannot hold.
 */
export function tensor(values: NestedValues | NumericArray, options: TensorOptions = {}): Tensor {
  const flat = isNumericArray(values) ? { values, shape: [values.length] } : flatten(values);
  const { shape = flat.shape, dtype = naturalDtype(flat.values), backend } = options;
  checkShape('tensor', shape);
  checkDtype('tensor', dtype);
  if (sizeOf(shape) !== flat.values.length) {
    throw new ShapeError(
      `tensor: ${flat.values.length} values do not fill shape ${formatShape(shape)}, which has ${sizeOf(shape)} elements`,
    );
  }
  return fromHost({ shape: [...shape], dtype }, convert(flat.values, dtype), backend);
}

function filled(op: string, shape: Shape, value: number, options: CreationOptions): Tensor {
  const { dtype = 'float32', backend } = options;
  checkShape(op, shape);
  checkDtype(op, dtype);
  if (!holds(dtype, value)) {
    throw new DtypeError(`${op}: ${value} is no ${dtype} value; pass another dtype`);
  }
  return run('fill', [], { shape: [...shape], dtype, value }, { backend });
}

/** A tensor of `value` everywhere. */
export function full(shape: Shape, value: number, options: CreationOptions = {}): Tensor {
  return filled('full', shape, value, options);
}

export function zeros(shape: Shape, options: CreationOptions = {}): Tensor {
  return filled('zeros', shape, 0, options);
}

export function ones(shape: Shape, options: CreationOptions = {}): Tensor {
  return filled('ones', shape, 1, options);
}

/** `value` in the shape and dtype of `x`, on its backend. */
export function fullLike(x: Tensor, value: number): Tensor {
  return full(x.shape, value, { dtype: x.dtype, backend: x.backend });
}

export function zerosLike(x: Tensor): Tensor {
  return fullLike(x, 0);
}

export function onesLike(x: Tensor): Tensor {
  return fullLike(x, 1);
}

export interface ArangeOptions extends PlaceOptions {
  /** Default 0. */
  readonly start?: number | undefined;
  /** Not included. */
  readonly stop: number;
  /** Default 1; may be negative. */
  readonly step?: number | undefined;
  /** Default float32. */
  readonly dtype?: 'float32' | 'int32' | undefined;
}

/** start, start + step, ... up to but without `stop`. */
export function arange(options: ArangeOptions): Tensor {
  const { start = 0, stop, step = 1, dtype = 'float32', backend } = options;
  if (![start, stop, step].every(Number.isFinite) || step === 0) {
    throw new ShapeError(
      `arange: expected finite start and stop and a step other than 0, got start ${start}, stop ${stop}, step ${step}`,
    );
  }
  const length = Math.max(0, Math.ceil((stop - start) / step));
  const values = Float64Array.from({ length }, (_, i) => start + i * step);
  return tensor(values, { dtype, backend });
}

export interface LinspaceOptions extends PlaceOptions {
  readonly start: number;
  /** Included. */
  readonly stop: number;
  readonly count: number;
}

/** `count` numbers at equal distances from `start` to `stop`; `start` alone for a count of 1. float32. */
export function linspace({ start, stop, count, backend }: LinspaceOptions): Tensor {
  if (!Number.isSafeInteger(count) || count < 0 || ![start, stop].every(Number.isFinite)) {
    throw new ShapeError(
      `linspace: expected finite start and stop and a whole count >= 0, got start ${start}, stop ${stop}, count ${count}`,
    );
  }
  const values = Float64Array.from({ length: count }, (_, i) =>
    i > 0 && i === count - 1 ? stop : start + (i * (stop - start)) / Math.max(count - 1, 1),
  );
  return tensor(values, { backend });
}

export interface EyeOptions extends PlaceOptions {
  /** Default: as many as rows. */
  readonly columns?: number | undefined;
}

/** [rows, columns] with ones on the diagonal. float32. */
export function eye(rows: number, options: EyeOptions = {}): Tensor {
  const { columns = rows, backend } = options;
  const shape = [rows, columns];
  checkShape('eye', shape);
  return scope(() => {
    const [row, column] = [0, 1].map((axis) =>
      run('iota', [], { shape, dtype: 'int32', axis }, { backend }),
    );
    return run('cast', [run('equal', [row!, column!], {})], { dtype: 'float32' });
  });
}

/**
 * The same values in another dtype: float to int truncates, to bool is `x !== 0`. Gradients pass only where the dtype stays
 * float32.
 */
export function cast(x: Tensor, dtype: Dtype): Tensor {
  return x.dtype === dtype ? clone(x) : run('cast', [x], { dtype });
}

/** A second tensor of the same value; gradients pass. */
export function clone(x: Tensor): Tensor {
  return run('reshape', [x], { shape: x.shape });
}

/** A second tensor of the same value that gradients do not pass. */
export function detach(x: Tensor): Tensor {
  const { backend, handle } = x;
  backend.retain(handle);
  return new Tensor(backend, handle);
}
