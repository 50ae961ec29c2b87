// Ops that depend on the order of elements along an axis: where the extreme is, sorting, running sums.

import type { Data } from '@convoke/backend-api';

import type { Kernel, Kernels } from '../kernel.ts';
import { aroundAxis } from './axis.ts';

/** Index of the first element that is largest (or, with `sign` -1, smallest) on a line; NaN exceeds everything. */
function extremeOf(x: Data, at: number, step: number, length: number, sign: number): number {
  let best = x[at]! * sign;
  let index = 0;
  for (let i = 1, from = at + step; i < length && best === best; i++, from += step) {
    const value = x[from]! * sign;
    if (value > best || value !== value) {
      best = value;
      index = i;
    }
  }
  return index;
}

function argExtreme(sign: 1 | -1): Kernel<'argMax' | 'argMin'> {
  return ([x], { axis }, _, __, arrays) => {
    const { outer, length, inner } = aroundAxis(x!.spec.shape, axis);
    const y = arrays.take('int32', outer * inner);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        y[o * inner + i] = extremeOf(x!.data, o * length * inner + i, inner, length, sign);
      }
    }
    return [y];
  };
}

const cumsum: Kernel<'cumsum'> = (inputs, { axis }, _, reuse, arrays) => {
  const [x] = inputs as [(typeof inputs)[0]];
  const { outer, length, inner } = aroundAxis(x.spec.shape, axis);
  const y = reuse[0] ?? arrays.take('float32', x.data.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let sum = 0;
      let at = o * length * inner + i;
      for (let k = 0; k < length; k++, at += inner) {
        sum += x.data[at]!;
        y[at] = sum;
      }
    }
  }
  return [y];
};

/**
 * Unsigned 32-bit keys in the order of the values: numbers ascending, -0 equal to 0, every NaN last. Negative floats order
 * against their bits.
 */
function writeKeys(x: Data, at: number, step: number, keys: Uint32Array): void {
  if (x instanceof Float32Array) {
    const value = new Float32Array(1);
    const word = new Uint32Array(value.buffer);
    for (let i = 0; i < keys.length; i++, at += step) {
      const element = x[at]!;
      // Adding 0 turns -0 into 0.
      value[0] = element + 0;
      const w = word[0]!;
      keys[i] = element !== element ? 0xffffffff : w >>> 31 ? ~w : w | 0x80000000;
    }
  } else {
    for (let i = 0; i < keys.length; i++, at += step) keys[i] = x[at]! ^ 0x80000000;
  }
}

/** Sorts `order` stably by the keys it points to: a radix sort, one byte at a time from the lowest. */
function radixSort(keys: Uint32Array, order: Int32Array, spare: Int32Array): Int32Array {
  let [from, to] = [order, spare];
  const counts = new Int32Array(256);
  for (let shift = 0; shift < 32; shift += 8) {
    counts.fill(0);
    for (let i = 0; i < keys.length; i++) counts[(keys[i]! >>> shift) & 255]!++;
    if (counts[(keys[0]! >>> shift) & 255] === keys.length) continue;
    for (let digit = 0, sum = 0; digit < 256; digit++) {
      const count = counts[digit]!;
      counts[digit] = sum;
      sum += count;
    }
    for (let i = 0; i < from.length; i++) {
      const index = from[i]!;
      to[counts[(keys[index]! >>> shift) & 255]!++] = index;
    }
    [from, to] = [to, from];
  }
  return from;
}

/** For short lines, where counting bytes would cost more than moving a few indices. */
function insertionSort(keys: Uint32Array, order: Int32Array): Int32Array {
  for (let i = 1; i < order.length; i++) {
    const index = order[i]!;
    const key = keys[index]!;
    let at = i;
    for (; at > 0 && keys[order[at - 1]!]! > key; at--) order[at] = order[at - 1]!;
    order[at] = index;
  }
  return order;
}

const SHORT = 48;

const sort: Kernel<'sort'> = ([x], { axis, descending }, _, __, arrays) => {
  const { data, spec } = x!;
  const { outer, length, inner } = aroundAxis(spec.shape, axis);
  const values = arrays.take(spec.dtype, data.length);
  const indices = arrays.take('int32', data.length);
  if (data.length === 0) return [values, indices];
  const keys = new Uint32Array(length);
  const order = new Int32Array(length);
  const spare = new Int32Array(length);
  for (let line = 0; line < outer * inner; line++) {
    const start = Math.floor(line / inner) * length * inner + (line % inner);
    writeKeys(data, start, inner, keys);
    // Turning the keys round keeps equal ones in their order.
    if (descending) for (let i = 0; i < length; i++) keys[i] = ~keys[i]!;
    for (let i = 0; i < length; i++) order[i] = i;
    const sorted = length <= SHORT ? insertionSort(keys, order) : radixSort(keys, order, spare);
    for (let i = 0, at = start; i < length; i++, at += inner) {
      indices[at] = sorted[i]!;
      values[at] = data[start + sorted[i]! * inner]!;
    }
  }
  return [values, indices];
};

export const orderKernels: Kernels = {
  argMax: argExtreme(1),
  argMin: argExtreme(-1),
  cumsum,
  sort,
};
