// Elementwise ops of one input. Each is a loop of its own over float32 or int32, so that the engine compiles it for exactly
// these arrays: one loop that is handed a function an element runs several times slower. Arithmetic is in float64 and rounds
// once, on storing. Infinities and NaN take the path of the catalogue's formulas.

import { SELU_ALPHA, SELU_SCALE, type OpAttributes } from '@convoke/backend-api';

import type { Kernel, Kernels } from '../kernel.ts';
import { destination } from './destination.ts';
import { erf, erfc } from './erf.ts';
import { bits } from './walk.ts';

type Loop<X, A> = (x: X, y: X, attributes: A) => void;
type UnaryName = keyof typeof float;

/** Loops that the engine sees with float32 only. */
const float = {
  neg(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = -x[i]!;
  },
  abs(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.abs(x[i]!);
  },
  sign(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.sign(x[i]!);
  },
  exp(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.exp(x[i]!);
  },
  log(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.log(x[i]!);
  },
  log1p(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.log1p(x[i]!);
  },
  sqrt(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.sqrt(x[i]!);
  },
  sin(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.sin(x[i]!);
  },
  cos(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.cos(x[i]!);
  },
  tanh(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.tanh(x[i]!);
  },
  erf(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = erf(x[i]!);
  },
  floor(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.floor(x[i]!);
  },
  round(x, y) {
    // Where float64 has no digits behind the point left, adding rounds halves to even. From 2^23 float32 is whole anyway.
    const whole = 1.5 * 2 ** 52;
    for (let i = 0; i < y.length; i++) {
      const v = x[i]!;
      y[i] = Math.abs(v) < 2 ** 23 ? v + whole - whole : v;
    }
  },
  rsqrt(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = 1 / Math.sqrt(x[i]!);
  },
  square(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = x[i]! * x[i]!;
  },
  reciprocal(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = 1 / x[i]!;
  },
  sigmoid(x, y) {
    // In float64 e^-x overflows only where the result is 0 in float32.
    for (let i = 0; i < y.length; i++) y[i] = 1 / (1 + Math.exp(-x[i]!));
  },
  logSigmoid(x, y) {
    for (let i = 0; i < y.length; i++) {
      y[i] = Math.min(x[i]!, 0) - Math.log1p(Math.exp(-Math.abs(x[i]!)));
    }
  },
  relu(x, y) {
    // On bits, without a branch on the sign: five times as fast on mixed signs. A NaN stays, whatever its sign.
    const from = bits(x);
    const to = bits(y);
    for (let i = 0; i < to.length; i++) {
      const word = from[i]!;
      to[i] = (word & 0x7fffffff) > 0x7f800000 ? word : word & ~(word >> 31);
    }
  },
  clamp(x, y, { min, max }) {
    for (let i = 0; i < y.length; i++) y[i] = Math.min(Math.max(x[i]!, min), max);
  },
  leakyRelu(x, y, { negativeSlope }) {
    const slopes = Float64Array.of(1, negativeSlope);
    const words = bits(x);
    for (let i = 0; i < y.length; i++) y[i] = x[i]! * slopes[words[i]! >>> 31]!;
  },
  elu(x, y, { alpha }) {
    for (let i = 0; i < y.length; i++) y[i] = x[i]! > 0 ? x[i]! : alpha * Math.expm1(x[i]!);
  },
  selu(x, y) {
    const below = SELU_SCALE * SELU_ALPHA;
    for (let i = 0; i < y.length; i++) {
      y[i] = x[i]! > 0 ? SELU_SCALE * x[i]! : below * Math.expm1(x[i]!);
    }
  },
  silu(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = x[i]! * (1 / (1 + Math.exp(-x[i]!)));
  },
  mish(x, y) {
    for (let i = 0; i < y.length; i++) {
      // tanh(log(1 + e)) = (e^2 + 2e) / (e^2 + 2e + 2), which is 1 in float32 long before e^2 overflows.
      const e = Math.exp(Math.min(x[i]!, 30));
      const n = e * (e + 2);
      y[i] = x[i]! * (n / (n + 2));
    }
  },
  softplus(x, y) {
    for (let i = 0; i < y.length; i++) {
      y[i] = Math.max(x[i]!, 0) + Math.log1p(Math.exp(-Math.abs(x[i]!)));
    }
  },
  softsign(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = x[i]! / (1 + Math.abs(x[i]!));
  },
  hardswish(x, y) {
    for (let i = 0; i < y.length; i++) {
      const v = x[i]!;
      // 0 below, but NaN for -infinity: there the formula is infinity times 0.
      y[i] = v < -3 ? v - v : v > 3 ? v : (v * (v + 3)) / 6;
    }
  },
  hardsigmoid(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.min(Math.max(x[i]! + 3, 0), 6) / 6;
  },
  gelu(x, y, { approximate }) {
    if (approximate === 'none') {
      for (let i = 0; i < y.length; i++) y[i] = 0.5 * x[i]! * erfc(-x[i]! * Math.SQRT1_2);
      return;
    }
    const scale = Math.sqrt(2 / Math.PI);
    for (let i = 0; i < y.length; i++) {
      const v = x[i]!;
      y[i] = 0.5 * v * (1 + Math.tanh(scale * v * (1 + 0.044715 * v * v)));
    }
  },
  scaledTanh(x, y, { amplitude, slope }) {
    for (let i = 0; i < y.length; i++) y[i] = amplitude * Math.tanh(slope * x[i]!);
  },
} satisfies { readonly [K in keyof OpAttributes]?: Loop<Float32Array, OpAttributes[K]> };

/** Whole numbers wrap at 32 bits, on storing. */
const int = {
  neg(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = -x[i]!;
  },
  abs(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.abs(x[i]!);
  },
  sign(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.sign(x[i]!);
  },
  square(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.imul(x[i]!, x[i]!);
  },
  relu(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = Math.max(x[i]!, 0);
  },
  clamp(x, y, { min, max }) {
    // A whole number between the limits is between the limits truncated, as they are when written as int32.
    const [low, high] = [Math.trunc(min), Math.trunc(max)];
    for (let i = 0; i < y.length; i++) y[i] = Math.min(Math.max(x[i]!, low), high);
  },
} satisfies { readonly [K in keyof OpAttributes]?: Loop<Int32Array, OpAttributes[K]> };

function unary<K extends UnaryName>(op: K): Kernel<K> {
  const floatLoop = float[op] as Loop<Float32Array, OpAttributes[K]>;
  const intLoop = (int as Partial<Record<UnaryName, Loop<Int32Array, OpAttributes[K]>>>)[op];
  return (inputs, attributes, [spec], reuse, arrays) => {
    const x = inputs[0]!.data;
    const y = destination(spec!, inputs, reuse, arrays);
    if (spec!.dtype === 'int32') intLoop!(x as Int32Array, y as Int32Array, attributes);
    else floatLoop(x as Float32Array, y as Float32Array, attributes);
    return [y];
  };
}

export const unaryKernels: Kernels = Object.fromEntries(
  (Object.keys(float) as UnaryName[]).map((op) => [op, unary(op)]),
);
