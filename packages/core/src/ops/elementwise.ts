// Arithmetic, element by element. Two operands broadcast by NumPy's rules and have one dtype; a number beside a tensor takes
// the tensor's.

import { run } from '../dispatch.ts';
import type { Tensor } from '../tensor.ts';
import { binary, type Operand } from './operands.ts';

export function neg(x: Tensor): Tensor {
  return run('neg', [x], {});
}

/** Gradient 0 at 0. */
export function abs(x: Tensor): Tensor {
  return run('abs', [x], {});
}

/** -1, 0 or 1. No gradient. */
export function sign(x: Tensor): Tensor {
  return run('sign', [x], {});
}

export function exp(x: Tensor): Tensor {
  return run('exp', [x], {});
}

/** Natural logarithm. */
export function log(x: Tensor): Tensor {
  return run('log', [x], {});
}

/** log(1 + x), accurate near 0. */
export function log1p(x: Tensor): Tensor {
  return run('log1p', [x], {});
}

export function sqrt(x: Tensor): Tensor {
  return run('sqrt', [x], {});
}

/** 1 / sqrt(x). */
export function rsqrt(x: Tensor): Tensor {
  return run('rsqrt', [x], {});
}

export function square(x: Tensor): Tensor {
  return run('square', [x], {});
}

/** 1 / x. */
export function reciprocal(x: Tensor): Tensor {
  return run('reciprocal', [x], {});
}

/** The largest whole number <= x. No gradient. */
export function floor(x: Tensor): Tensor {
  return run('floor', [x], {});
}

/** The nearest whole number, halves to even. No gradient. */
export function round(x: Tensor): Tensor {
  return run('round', [x], {});
}

export function sin(x: Tensor): Tensor {
  return run('sin', [x], {});
}

export function cos(x: Tensor): Tensor {
  return run('cos', [x], {});
}

/** Error function. */
export function erf(x: Tensor): Tensor {
  return run('erf', [x], {});
}

export function add(a: Operand, b: Operand): Tensor {
  return binary('add', a, b);
}

export function sub(a: Operand, b: Operand): Tensor {
  return binary('sub', a, b);
}

export function mul(a: Operand, b: Operand): Tensor {
  return binary('mul', a, b);
}

/** float32 only. */
export function div(a: Operand, b: Operand): Tensor {
  return binary('div', a, b);
}

/** a to the power of b. float32 only. */
export function pow(a: Operand, b: Operand): Tensor {
  return binary('pow', a, b);
}

/** The smaller of both, NaN where either is. On ties each gets half the gradient. */
export function minimum(a: Operand, b: Operand): Tensor {
  return binary('minimum', a, b);
}

/** The larger of both, NaN where either is. On ties each gets half the gradient. */
export function maximum(a: Operand, b: Operand): Tensor {
  return binary('maximum', a, b);
}
