// Sums, means, products and extremes over axes. The input is walked once, in the order it lies in memory; a line along its
// last axis is either folded into one element of the result or added to a row of them. Floating-point sums and products
// are kept in float64 and rounded once.

import {
  broadcastStrides,
  reducedShape,
  sizeOf,
  stridesOf,
  type OpAttributes,
} from '@convoke/backend-api';

import type { Kernel, Kernels } from '../kernel.ts';
import { eachLine, mergeAxes } from './walk.ts';

type ReduceName = 'reduceSum' | 'reduceMean' | 'reduceProd' | 'reduceMax' | 'reduceMin';

interface Fold<X, Y> {
  /** What no elements give. */
  readonly identity: number;
  /** Folds `length` neighbours into one element. */
  line(x: X, at: number, length: number, y: Y, to: number): void;
  /** Folds `length` neighbours into as many elements. */
  row(x: X, at: number, length: number, y: Y, to: number): void;
}

const float: Readonly<Record<Exclude<ReduceName, 'reduceMean'>, Fold<Float32Array, Float64Array>>> =
  {
    reduceSum: {
      identity: 0,
      line(x, at, length, y, to) {
        // Four running sums: an addition need not wait for the one before.
        let s0 = 0;
        let s1 = 0;
        let s2 = 0;
        let s3 = 0;
        const end = at + length;
        let i = at;
        for (; i + 3 < end; i += 4) {
          s0 += x[i]!;
          s1 += x[i + 1]!;
          s2 += x[i + 2]!;
          s3 += x[i + 3]!;
        }
        for (; i < end; i++) s0 += x[i]!;
        y[to]! += s0 + s1 + (s2 + s3);
      },
      row(x, at, length, y, to) {
        for (let i = 0; i < length; i++) y[to + i]! += x[at + i]!;
      },
    },
    reduceProd: {
      identity: 1,
      line(x, at, length, y, to) {
        let product = y[to]!;
        for (let i = at; i < at + length; i++) product *= x[i]!;
        y[to] = product;
      },
      row(x, at, length, y, to) {
        for (let i = 0; i < length; i++) y[to + i]! *= x[at + i]!;
      },
    },
    reduceMax: {
      identity: -Infinity,
      line(x, at, length, y, to) {
        let most = y[to]!;
        for (let i = at; i < at + length; i++) most = Math.max(most, x[i]!);
        y[to] = most;
      },
      row(x, at, length, y, to) {
        for (let i = 0; i < length; i++) y[to + i] = Math.max(y[to + i]!, x[at + i]!);
      },
    },
    reduceMin: {
      identity: Infinity,
      line(x, at, length, y, to) {
        let least = y[to]!;
        for (let i = at; i < at + length; i++) least = Math.min(least, x[i]!);
        y[to] = least;
      },
      row(x, at, length, y, to) {
        for (let i = 0; i < length; i++) y[to + i] = Math.min(y[to + i]!, x[at + i]!);
      },
    },
  };

/** Whole numbers wrap at 32 bits. */
const int: Readonly<Record<keyof typeof float, Fold<Int32Array, Int32Array>>> = {
  reduceSum: {
    identity: 0,
    line(x, at, length, y, to) {
      let sum = y[to]!;
      for (let i = at; i < at + length; i++) sum = (sum + x[i]!) | 0;
      y[to] = sum;
    },
    row(x, at, length, y, to) {
      for (let i = 0; i < length; i++) y[to + i]! += x[at + i]!;
    },
  },
  reduceProd: {
    identity: 1,
    line(x, at, length, y, to) {
      let product = y[to]!;
      for (let i = at; i < at + length; i++) product = Math.imul(product, x[i]!);
      y[to] = product;
    },
    row(x, at, length, y, to) {
      for (let i = 0; i < length; i++) y[to + i] = Math.imul(y[to + i]!, x[at + i]!);
    },
  },
  reduceMax: {
    identity: -(2 ** 31),
    line(x, at, length, y, to) {
      let most = y[to]!;
      for (let i = at; i < at + length; i++) most = Math.max(most, x[i]!);
      y[to] = most;
    },
    row(x, at, length, y, to) {
      for (let i = 0; i < length; i++) y[to + i] = Math.max(y[to + i]!, x[at + i]!);
    },
  },
  reduceMin: {
    identity: 2 ** 31 - 1,
    line(x, at, length, y, to) {
      let least = y[to]!;
      for (let i = at; i < at + length; i++) least = Math.min(least, x[i]!);
      y[to] = least;
    },
    row(x, at, length, y, to) {
      for (let i = 0; i < length; i++) y[to + i] = Math.min(y[to + i]!, x[at + i]!);
    },
  },
};

function fold<X, Y extends Float64Array | Int32Array>(
  { identity, line, row }: Fold<X, Y>,
  x: X,
  shape: readonly number[],
  { axes }: OpAttributes['reduceSum'],
  y: Y,
): void {
  if (identity !== 0) y.fill(identity);
  // In the kept shape, broadcast to the input's, the reduced axes stand still.
  const kept = broadcastStrides(reducedShape(shape, axes, true), shape);
  const walk = mergeAxes(shape, stridesOf(shape), kept);
  const length = walk.lengths.at(-1)!;
  const step = walk.strides[1]!.at(-1) === 0 ? line : row;
  eachLine(walk, [0, 0], (offsets) => step(x, offsets[0]!, length, y, offsets[1]!));
}

function reduce<K extends ReduceName>(op: K): Kernel<K> {
  const name = op === 'reduceMean' ? 'reduceSum' : (op as Exclude<K, 'reduceMean'>);
  return ([x], attributes, [spec], _, arrays) => {
    const { shape, dtype } = x!.spec;
    const size = sizeOf(spec!.shape);
    if (dtype === 'int32') {
      const y = arrays.zeros('int32', size);
      fold(int[name], x!.data as Int32Array, shape, attributes, y);
      return [y];
    }
    const y = arrays.take('float32', size);
    const exact = new Float64Array(size);
    fold(float[name], x!.data as Float32Array, shape, attributes, exact);
    if (op === 'reduceMean') {
      const count = sizeOf(attributes.axes.map((axis) => shape[axis]!));
      for (let i = 0; i < size; i++) exact[i]! /= count;
    }
    y.set(exact);
    return [y];
  };
}

export const reduceKernels: Kernels = {
  reduceSum: reduce('reduceSum'),
  reduceMean: reduce('reduceMean'),
  reduceProd: reduce('reduceProd'),
  reduceMax: reduce('reduceMax'),
  reduceMin: reduce('reduceMin'),
};
