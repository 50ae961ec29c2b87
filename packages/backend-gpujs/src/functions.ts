// Functions that kernels' scripts may call. Where GLSL has its own form, that is used in GL modes: whole-number division is
// exact there for all that an int holds, in JavaScript's form (float32 division, which WebGPU rounds carelessly) below 2^24.

import type { LibraryFunction } from './adapter.ts';

/** The error function's tail: see backend-js for the fit; powers beyond float32's reach are left out. */
const erfcTail = `
  const t = 2.0 / (2.0 + a);
  const u = 2.0 * t - 1.0;
  const v = u * u;
  const even = ((((((3.1610605e-6 * v - 2.0765497e-5) * v + 6.2342790e-5) * v - 8.8583146e-5) * v - 0.00014798466) * v + 0.0017592649) * v - 0.0098727212) * v + 0.047343308;
  const odd = ((((((1.5689568e-7 * v - 4.3919568e-6) * v + 3.5859296e-5) * v - 0.00017667132) * v + 0.00067453339) * v - 0.0023459977) * v + 0.0088249606) * v - 0.046895611;
  return t * Math.exp((even * v - 0.67179408) + u * (odd * v + 0.67264322) - a * a);`;

export const functions: readonly LibraryFunction[] = [
  {
    name: 'whole',
    parameters: ['x'],
    takes: 'Number',
    type: 'Integer',
    script: 'return Math.floor(x + 0.5);',
    glsl: 'return int(floor(x + 0.5));',
  },
  // Exclusive or of whole numbers below 2^16.
  {
    name: 'xor16',
    parameters: ['a', 'b'],
    type: 'Number',
    script: `
  let x = a;
  let y = b;
  let bit = 1.0;
  let sum = 0.0;
  for (let k = 0; k < 16; k++) {
    const p = Math.floor(x * 0.5);
    const q = Math.floor(y * 0.5);
    if (x - 2.0 * p !== y - 2.0 * q) { sum = sum + bit; }
    x = p;
    y = q;
    bit = bit * 2.0;
  }
  return sum;`,
    glsl: 'return float(int(a) ^ int(b));',
  },
  {
    name: 'idiv',
    parameters: ['a', 'b'],
    type: 'Integer',
    script: `
  let q = Math.floor(a / b);
  const rest = a - q * b;
  if (rest < 0.0) { q = q - 1.0; }
  if (rest >= b) { q = q + 1.0; }
  return Math.floor(q);`,
    glsl: 'return a / b;',
  },
  {
    name: 'imod',
    parameters: ['a', 'b'],
    type: 'Integer',
    // The rounding changes nothing: it makes gpu.js see a whole number in WebGPU.
    script: 'return Math.floor(a - b * idiv(a, b));',
    glsl: 'return a - b * (a / b);',
  },
  // Product of whole numbers modulo 2^32, signed, in digits of 8 bits.
  {
    name: 'mulInt',
    parameters: ['a', 'b'],
    type: 'Number',
    script: `
  const p = Math.floor(a / 256.0);
  const q = Math.floor(p / 256.0);
  const r = Math.floor(q / 256.0);
  const s = Math.floor(b / 256.0);
  const t = Math.floor(s / 256.0);
  const u = Math.floor(t / 256.0);
  const a0 = a - p * 256.0;
  const a1 = p - q * 256.0;
  const a2 = q - r * 256.0;
  const a3 = r - Math.floor(r / 256.0) * 256.0;
  const b0 = b - s * 256.0;
  const b1 = s - t * 256.0;
  const b2 = t - u * 256.0;
  const b3 = u - Math.floor(u / 256.0) * 256.0;
  const c0 = a0 * b0;
  const c1 = a0 * b1 + a1 * b0 + Math.floor(c0 / 256.0);
  const c2 = a0 * b2 + a1 * b1 + a2 * b0 + Math.floor(c1 / 256.0);
  const c3 = a0 * b3 + a1 * b2 + a2 * b1 + a3 * b0 + Math.floor(c2 / 256.0);
  const low = (c0 - Math.floor(c0 / 256.0) * 256.0) + (c1 - Math.floor(c1 / 256.0) * 256.0) * 256.0;
  let high = (c2 - Math.floor(c2 / 256.0) * 256.0) + (c3 - Math.floor(c3 / 256.0) * 256.0) * 256.0;
  if (high >= 32768.0) { high = high - 65536.0; }
  return high * 65536.0 + low;`,
  },
  // 1 - erf(a) for a >= 0.
  { name: 'erfc', parameters: ['a'], type: 'Number', script: erfcTail },
  {
    name: 'erf',
    parameters: ['x'],
    type: 'Number',
    script: `
  const a = Math.abs(x);
  const s = x * x;
  let y = 1.1283792 * x * (1.0 - s * (0.33333333 - s * (0.1 - s * (0.023809524 - s * (0.0046296296 - s * 0.00075757576)))));
  if (a >= 0.5) {
    y = 1.0 - erfc(a);
    if (x < 0.0) { y = 0.0 - y; }
  }
  return y;`,
  },
  // log(1 + x) without the rounding of 1 + x: u = 1 + x has lost x - (u - 1).
  {
    name: 'logOnePlus',
    parameters: ['x'],
    type: 'Number',
    script: `
  let y = x * (1.0 - x * (0.5 - x * (0.33333333 - x * (0.25 - x * (0.2 - x * 0.16666667)))));
  if (Math.abs(x) >= 0.05) { y = Math.log(1.0 + x); }
  return y;`,
  },
  // e^x - 1 for x <= 0.
  {
    name: 'expMinusOne',
    parameters: ['x'],
    type: 'Number',
    script: `
  let y = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666667 + x * (0.0083333333 + x * (0.0013888889 + x * 0.00019841270))))));
  if (x < -0.4) { y = Math.exp(x) - 1.0; }
  return y;`,
  },
  {
    name: 'tangentH',
    parameters: ['x'],
    type: 'Number',
    script: `
  const e = expMinusOne(-2.0 * Math.abs(x));
  let y = (0.0 - e) / (2.0 + e);
  if (x < 0.0) { y = 0.0 - y; }
  return y;`,
  },
  {
    name: 'sigmoid',
    parameters: ['x'],
    type: 'Number',
    script: `
  const e = Math.exp(0.0 - Math.abs(x));
  let y = 1.0 / (1.0 + e);
  if (x < 0.0) { y = e * y; }
  return y;`,
  },
  {
    name: 'softPlus',
    parameters: ['x'],
    type: 'Number',
    script: 'return Math.max(x, 0.0) + logOnePlus(Math.exp(0.0 - Math.abs(x)));',
  },
  {
    name: 'nearestEven',
    parameters: ['x'],
    type: 'Number',
    script: `
  let y = Math.floor(x);
  const f = x - y;
  if (f > 0.5) { y = y + 1.0; }
  if (f === 0.5) { y = y + (y - 2.0 * Math.floor(y * 0.5)); }
  return y;`,
  },
  // sin(x + quarter * pi / 2): a GPU's own sine may be off by 2e-4. The turns are taken off in three parts (Cody and Waite).
  {
    name: 'wave',
    parameters: ['x', 'quarter'],
    type: 'Number',
    script: `
  const k = Math.floor(x * 0.63661977 + 0.5);
  const r = x - k * 1.5703125 - k * 0.0004837513 - k * 7.5497899e-8;
  const s = r * r;
  const sine = r * (1.0 - s * (0.16666667 - s * (0.0083333333 - s * (0.0001984127 - s * 0.0000027557319))));
  const cosine = 1.0 - s * (0.5 - s * (0.041666667 - s * (0.0013888889 - s * (0.000024801587 - s * 2.7557319e-7))));
  const turns = k + quarter;
  const q = turns - 4.0 * Math.floor(turns * 0.25);
  let y = sine;
  if (q === 1.0) { y = cosine; }
  if (q === 2.0) { y = 0.0 - sine; }
  if (q === 3.0) { y = 0.0 - cosine; }
  return y;`,
  },
  {
    name: 'truncate',
    parameters: ['x'],
    type: 'Number',
    script: 'let y = Math.floor(x); if (x < 0.0) { y = Math.ceil(x); } return y;',
  },
  {
    name: 'power',
    parameters: ['a', 'b'],
    type: 'Number',
    // GLSL's pow is undefined for a < 0, and for whole b the sign is known.
    script: `
  let y = Math.exp(b * Math.log(Math.abs(a)));
  if (a === 0.0) { y = 0.0; }
  if (b === 1.0) { y = a; }
  if (b === 2.0) { y = a * a; }
  if (b === 0.5) { y = Math.sqrt(a); }
  if (b === 0.0) { y = 1.0; }
  if (a < 0.0 && b !== 1.0 && b !== 2.0 && b !== 0.5) {
    const half = Math.floor(b * 0.5);
    if (b - 2.0 * half === 1.0) { y = 0.0 - y; }
  }
  return y;`,
  },
];
