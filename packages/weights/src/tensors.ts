// Named arrays as weight files hold them, and as Convoke computes with them.

import { WeightsError } from './errors.ts';
import { float32OfBfloat16, float32OfFloat16 } from './half.ts';
import { allocate, expectRange, type ByteSource } from './sources/source.ts';

export type StoredDtype =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool';

export type StoredData =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigUint64Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

interface ArrayType {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): StoredData;
}

/** How each dtype's elements are held; halves as their 16 bits, 64-bit integers as bigints, bool as bytes 0 and 1. */
export const arrayTypes: Readonly<Record<StoredDtype, ArrayType>> = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** A tensor with the type it has in the file. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** In C order. */
  readonly data: StoredData;
}

/** A tensor with one of the types that Convoke computes with. */
export interface HostTensor {
  readonly dtype: 'float32' | 'int32' | 'uint8' | 'bool';
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** The number of elements, or NaN where it is more than can be counted. */
export function elementsOf(shape: readonly number[]): number {
  const count = shape.reduce((product, length) => product * length, 1);
  return Number.isSafeInteger(count) ? count : NaN;
}

export function bytesOf(dtype: StoredDtype, shape: readonly number[]): number {
  return elementsOf(shape) * arrayTypes[dtype].BYTES_PER_ELEMENT;
}

/** A view with a dtype's array type; `bytes` begin at a multiple of its width. */
export function viewAs(dtype: StoredDtype, bytes: Uint8Array): StoredData {
  const type = arrayTypes[dtype];
  const count = bytes.byteLength / type.BYTES_PER_ELEMENT;
  return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset, count);
}

/** Reverses the bytes of every element, in place. */
export function swapBytes(data: StoredData): void {
  const width = data.BYTES_PER_ELEMENT;
  if (width === 1) return;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

/** Elements that lie in a row in a file, little-endian, read straight into their array. */
export async function loadRange(
  source: ByteSource,
  dtype: StoredDtype,
  offset: number,
  bytes: number,
  what: string,
): Promise<StoredData> {
  expectRange(source, offset, bytes, what);
  const target = allocate(bytes, `${source.name}: ${what}`);
  await source.readInto(target, offset);
  return viewAs(dtype, target);
}

/** Elements of `data` in C order, where the element at an index lies at offset + sum(index * stride). */
export function gather(
  data: StoredData,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): StoredData {
  const count = elementsOf(shape);
  const result = new (data.constructor as new (length: number) => StoredData)(count);
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < count; i++) {
    result[i] = data[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

function toInt32(data: StoredData, what: string): Int32Array {
  const result = new Int32Array(data.length);
  for (let i = 0; i < result.length; i++) {
    const value = Number(data[i]);
    if (value > 0x7fffffff || value < -0x80000000) {
      throw new WeightsError(
        'range',
        `${what}: element ${i} is ${data[i]}, which int32 cannot hold; read the tensors as they are stored`,
      );
    }
    result[i] = value;
  }
  return result;
}

/**
 * Converts to what Convoke computes with: real numbers to float32 (float64 is rounded), whole numbers to int32, uint8 and
 * bool stay. `what` names the tensor in errors. Throws a WeightsError (`range`) where a whole number does not fit int32.
 */
export function toHostTensor(tensor: StoredTensor, what: string): HostTensor {
  const { dtype, shape, data } = tensor;
  switch (dtype) {
    case 'float32':
      return { dtype, shape, data: data as Float32Array };
    case 'float64':
      return { dtype: 'float32', shape, data: Float32Array.from(data as Float64Array) };
    case 'float16':
      return { dtype: 'float32', shape, data: float32OfFloat16(data as Uint16Array) };
    case 'bfloat16':
      return { dtype: 'float32', shape, data: float32OfBfloat16(data as Uint16Array) };
    case 'int32':
      return { dtype, shape, data: data as Int32Array };
    case 'uint8':
      return { dtype, shape, data: data as Uint8Array };
    case 'bool':
      return { dtype, shape, data: (data as Uint8Array).map((value) => (value === 0 ? 0 : 1)) };
    case 'int64':
    case 'int16':
    case 'int8':
    case 'uint64':
    case 'uint32':
    case 'uint16':
      return { dtype: 'int32', shape, data: toInt32(data, what) };
    default:
      return dtype satisfies never;
  }
}

/** `toHostTensor` for all of a file's tensors. */
export function toHostTensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  file = 'the weights',
): Map<string, HostTensor> {
  const converted = new Map<string, HostTensor>();
  for (const [name, tensor] of tensors) {
    converted.set(name, toHostTensor(tensor, `${file}: tensor '${name}'`));
  }
  return converted;
}
