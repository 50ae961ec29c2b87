// What the tests share: the js backend in use, tensors from plain lists, and comparison within float32's rounding.

import { js } from '@convoke/backend-js';
import { afterEach, beforeEach } from 'vitest';

import { fromHost, memory, register, use, type Tensor } from '../src/index.ts';

export async function useJs(): Promise<void> {
  register(js);
  await use('js');
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Numbers in [-1, 1) without order, the same for a seed each time. */
export function scattered(count: number, seed: number): number[] {
  let state = Math.imul(seed, 0x9e3779b1);
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 0x19660d) + 0x3c6ef35f) | 0;
    return (state >> 8) / 2 ** 23;
  });
}

/** A float32 tensor of `values`; of scattered ones where a seed is given instead. */
export function floats(shape: readonly number[], values: ArrayLike<number> | number): Tensor {
  const list = typeof values === 'number' ? scattered(sizeOf(shape), values) : values;
  return fromHost({ shape, dtype: 'float32' }, Float32Array.from(list));
}

export function ints(shape: readonly number[], values: ArrayLike<number>): Tensor {
  return fromHost({ shape, dtype: 'int32' }, Int32Array.from(values));
}

export interface Expected {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** How a tensor differs from what is expected by more than `tolerance`, relative beyond 1; null where it does not. */
export async function mismatch(
  actual: Tensor,
  expected: Expected,
  tolerance = 2e-6,
): Promise<string | null> {
  const data = await actual.data();
  if (String(actual.shape) !== String(expected.shape) || data.length !== expected.data.length) {
    return `shape [${actual.shape.join(', ')}], expected [${expected.shape.join(', ')}]`;
  }
  for (const [i, value] of data.entries()) {
    const wanted = expected.data[i]!;
    const close =
      Object.is(value, wanted) ||
      value === wanted ||
      Math.abs(value - wanted) <= tolerance * Math.max(1, Math.abs(wanted));
    if (!close) return `element ${i} is ${value}, expected ${wanted}`;
  }
  return null;
}

/** Fails every test of a file that leaves handles behind on the current backend; gives the count before a test. */
export function watchHandles(): () => number {
  let before = 0;
  beforeEach(() => {
    before = memory().handles;
  });
  afterEach(() => {
    const left = memory().handles - before;
    if (left !== 0) throw new Error(`${left} handles left behind`);
  });
  return () => before;
}
