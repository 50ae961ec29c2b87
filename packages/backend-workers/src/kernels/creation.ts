// Tensors from nothing: one value, ramps, random words.

import type { Dtype } from '@convoke/backend-api';

import { f32, type Encoder } from '../encoder.ts';
import { cut } from './cut.ts';
import { planFill as fillBits } from './copy.ts';

/** The bits with which an element of `value` is stored. */
function elementBits(dtype: Dtype, value: number): number {
  if (dtype === 'float32') return f32(value);
  if (dtype === 'int32') return value | 0;
  return dtype === 'bool' ? Number(value !== 0) : value & 255;
}

export interface Fill {
  readonly y: number;
  readonly dtype: Dtype;
  readonly count: number;
  readonly value: number;
}

export function planFill(e: Encoder, { y, dtype, count, value }: Fill): void {
  const elementBytes = dtype === 'float32' || dtype === 'int32' ? 4 : 1;
  fillBits(e, { to: y, count, bits: elementBits(dtype, value), elementBytes });
}

export interface Iota {
  readonly y: number;
  readonly dtype: 'float32' | 'int32';
  readonly shape: readonly number[];
  readonly axis: number;
}

/** Each element its index along an axis, in C order of `shape`. */
export function planIota(e: Encoder, { y, dtype, shape, axis }: Iota): void {
  const count = shape.reduce((a, b) => a * b, 1);
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const { chunks, perChunk } = cut(e, count, 32768, 16);
  const float = Number(dtype === 'float32');
  e.emit('iota', chunks, [y, count, shape[axis]!, inner, float, perChunk]);
}

export interface RandomBits {
  /** Address of the key, two int32. */
  readonly key: number;
  readonly y: number;
  readonly count: number;
}

/** Uniform whole numbers in [0, 2^24) as int32, by Threefry-2x32. */
export function planRandomBits(e: Encoder, { key, y, count }: RandomBits): void {
  const { chunks, perChunk } = cut(e, count, 8192, 16);
  e.emit('randomBits', chunks, [key, y, count, perChunk]);
}
