// Elementwise ops of two or three inputs that broadcast. One loop an op serves equal shapes, scalars and rows alike: after
// merging axes, an input either moves along with the output or stands still.

import { broadcastStrides, stridesOf, type Data, type Spec } from '@convoke/backend-api';

import type { Kernel, Kernels, Value } from '../kernel.ts';
import { destination } from './destination.ts';
import { bits, eachLine, mergeAxes, type Bits, type Walk } from './walk.ts';

type Loop<X, Y> = (
  a: X,
  aAt: number,
  aStep: number,
  b: X,
  bAt: number,
  bStep: number,
  y: Y,
  yAt: number,
  length: number,
) => void;

type Arithmetic = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'minimum' | 'maximum';
type Comparison = 'equal' | 'notEqual' | 'less' | 'lessEqual' | 'greater' | 'greaterEqual';

const float: Readonly<Record<Arithmetic, Loop<Float32Array, Float32Array>>> = {
  add(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = a[p]! + b[q]!;
  },
  sub(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = a[p]! - b[q]!;
  },
  mul(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = a[p]! * b[q]!;
  },
  div(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = a[p]! / b[q]!;
  },
  pow(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Math.pow(a[p]!, b[q]!);
  },
  minimum(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Math.min(a[p]!, b[q]!);
  },
  maximum(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Math.max(a[p]!, b[q]!);
  },
};

/** Whole numbers wrap at 32 bits. */
const int: Readonly<Partial<Record<Arithmetic, Loop<Int32Array, Int32Array>>>> = {
  add(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = a[p]! + b[q]!;
  },
  sub(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = a[p]! - b[q]!;
  },
  mul(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Math.imul(a[p]!, b[q]!);
  },
  minimum(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Math.min(a[p]!, b[q]!);
  },
  maximum(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Math.max(a[p]!, b[q]!);
  },
};

/** `Number` of a comparison compiles to no branch: about four times as fast as `? 1 : 0` on mixed data. */
const comparisons: Readonly<Record<Comparison, Loop<Data, Uint8Array>>> = {
  equal(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Number(a[p] === b[q]);
  },
  notEqual(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Number(a[p] !== b[q]);
  },
  less(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Number(a[p]! < b[q]!);
  },
  lessEqual(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Number(a[p]! <= b[q]!);
  },
  greater(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Number(a[p]! > b[q]!);
  },
  greaterEqual(a, p, ap, b, q, bq, y, o, n) {
    for (let i = 0; i < n; i++, p += ap, q += bq) y[o + i] = Number(a[p]! >= b[q]!);
  },
};

/** The walk of the inputs, broadcast, and of the output; the output's offset comes last. */
function broadcastWalk(inputs: readonly Value[], { shape }: Spec): Walk {
  const strides = inputs.map(({ spec }) => broadcastStrides(spec.shape, shape));
  return mergeAxes(shape, ...strides, stridesOf(shape));
}

function apply<X extends Data, Y extends Data>(
  loop: Loop<X, Y>,
  inputs: readonly Value[],
  spec: Spec,
  y: Y,
): void {
  const walk = broadcastWalk(inputs, spec);
  const [a, b] = inputs.map(({ data }) => data) as [X, X];
  const length = walk.lengths.at(-1)!;
  const [aStep, bStep] = walk.strides.map((own) => own.at(-1)!) as [number, number];
  eachLine(walk, [0, 0, 0], (at) => loop(a, at[0]!, aStep, b, at[1]!, bStep, y, at[2]!, length));
}

function arithmetic<K extends Arithmetic>(op: K): Kernel<K> {
  return (inputs, _, [spec], reuse, arrays) => {
    const y = destination(spec!, inputs, reuse, arrays);
    if (spec!.dtype === 'int32') apply(int[op]!, inputs, spec!, y as Int32Array);
    else apply(float[op], inputs, spec!, y as Float32Array);
    return [y];
  };
}

function comparison<K extends Comparison>(op: K): Kernel<K> {
  return (inputs, _, [spec], reuse, arrays) => {
    const y = destination(spec!, inputs, reuse, arrays) as Uint8Array;
    apply(comparisons[op], inputs, spec!, y);
    return [y];
  };
}

/** Conditions are 0 or 1: as masks they pick bits without a branch, four times as fast on mixed data. */
function selectLine(
  condition: Data,
  at: number,
  step: number,
  a: Bits,
  p: number,
  aStep: number,
  b: Bits,
  q: number,
  bStep: number,
  y: Bits,
  to: number,
  length: number,
): void {
  for (let i = 0; i < length; i++, at += step, p += aStep, q += bStep) {
    const mask = -condition[at]!;
    y[to + i] = (a[p]! & mask) | (b[q]! & ~mask);
  }
}

const select: Kernel<'select'> = (inputs, _, [spec], reuse, arrays) => {
  const y = destination(spec!, inputs, reuse, arrays);
  const walk = broadcastWalk(inputs, spec!);
  const condition = inputs[0]!.data;
  const [a, b, target] = [bits(inputs[1]!.data), bits(inputs[2]!.data), bits(y)];
  const length = walk.lengths.at(-1)!;
  const [step, aStep, bStep] = walk.strides.map((own) => own.at(-1)!) as [number, number, number];
  eachLine(walk, [0, 0, 0, 0], (at) =>
    selectLine(condition, at[0]!, step, a, at[1]!, aStep, b, at[2]!, bStep, target, at[3]!, length),
  );
  return [y];
};

const reluGradient: Kernel<'reluGradient'> = (inputs, _, [spec], reuse, arrays) => {
  const out = destination(spec!, inputs, reuse, arrays);
  const y = inputs[1]!.data;
  const [gradient, target] = [bits(inputs[0]!.data), bits(out)];
  for (let i = 0; i < target.length; i++) target[i] = gradient[i]! & -Number(y[i]! > 0);
  return [out];
};

export const binaryKernels: Kernels = {
  reluGradient,
  add: arithmetic('add'),
  sub: arithmetic('sub'),
  mul: arithmetic('mul'),
  div: arithmetic('div'),
  pow: arithmetic('pow'),
  minimum: arithmetic('minimum'),
  maximum: arithmetic('maximum'),
  equal: comparison('equal'),
  notEqual: comparison('notEqual'),
  less: comparison('less'),
  lessEqual: comparison('lessEqual'),
  greater: comparison('greater'),
  greaterEqual: comparison('greaterEqual'),
  select,
};
