// Elementwise ops by their definitions.

import type { Kernel, Kernels } from './kernel.ts';
import { build, offsetOf } from './value.ts';

type Unary = 'exp' | 'log' | 'log1p' | 'sqrt' | 'sin' | 'cos' | 'tanh' | 'erf' | 'floor' | 'round';
type Binary = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'equal' | 'less';

/** The error function by a series of positive terms: e^(-x^2) 2/sqrt(pi) (x + 2x^3/3 + 4x^5/15 + ...). */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest < 0.5) return below;
  if (rest > 0.5) return below + 1;
  return below % 2 === 0 ? below : below + 1;
}

function unary(f: (x: number) => number): Kernel<Unary> {
  return ([x], _, [spec]) => [build(spec!, (__, flat) => f(x!.data[flat]!))];
}

function binary(f: (a: number, b: number) => number): Kernel<Binary> {
  return ([a, b], _, [spec]) => [
    build(spec!, (index) =>
      f(a!.data[offsetOf(a!.spec.shape, index)]!, b!.data[offsetOf(b!.spec.shape, index)]!),
    ),
  ];
}

export const elementwise: Kernels<Unary | Binary | 'cast' | 'select'> = {
  cast: ([x], _, [spec]) => [
    build(spec!, (__, flat) => {
      const value = x!.data[flat]!;
      return spec!.dtype === 'int32' || spec!.dtype === 'uint8' ? Math.trunc(value) : value;
    }),
  ],
  exp: unary(Math.exp),
  log: unary(Math.log),
  log1p: unary(Math.log1p),
  sqrt: unary(Math.sqrt),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  tanh: unary(Math.tanh),
  erf: unary(erf),
  floor: unary(Math.floor),
  round: unary(roundHalfToEven),

  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  // Whole numbers multiply modulo 2^32, which doubles cannot hold.
  mul: ([a, b], _, [spec]) =>
    binary(spec!.dtype === 'int32' ? Math.imul : (x, y) => x * y)([a!, b!], _, [spec!]),
  div: binary((a, b) => a / b),
  pow: binary((a, b) => a ** b),
  maximum: binary(Math.max),
  equal: binary((a, b) => Number(a === b)),
  less: binary((a, b) => Number(a < b)),

  select: ([condition, a, b], _, [spec]) => [
    build(spec!, (index) => {
      const chosen = condition!.data[offsetOf(condition!.spec.shape, index)] !== 0 ? a! : b!;
      return chosen.data[offsetOf(chosen.spec.shape, index)]!;
    }),
  ],
};
