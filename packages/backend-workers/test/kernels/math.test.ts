// Elementary functions against Math in float64, over all exponents.

import { beforeAll, describe, expect, it } from 'vitest';

import { planUnary, type UnaryOp } from '../../src/kernels/elementwise.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { erf, normalTail } from './error-function.ts';

/** Every 16381st float32 from the bits `from` to `to`: all exponents, denormals included, and both infinities. */
function sweep(limits: readonly [number, number]): Float32Array {
  const [low, high] = limits;
  const words: number[] = [];
  for (let word = 0; word < 0x7f800000; word += 16381) words.push(word);
  const ends = [0, 1, 2, 0x007fffff, 0x00800000, 0x7f7fffff, 0x7f800000];
  const positive = new Float32Array(Uint32Array.from([...words, ...ends]).buffer);
  return Float32Array.from([...positive, ...positive.map((value) => -value)]).filter(
    (value) => value >= low && value <= high,
  );
}

/** Distance between two neighbouring float32 at `value`. */
function unit(value: number): number {
  const size = Math.max(Math.abs(value), 2 ** -126);
  return 2 ** (Math.floor(Math.log2(size)) - 23);
}

interface Claim {
  readonly exact: (x: number) => number;
  /** Units in the last place that the comment in assembly/math.ts states. */
  readonly ulp: number;
  readonly range?: readonly [number, number];
  /** Absolute errors below are passed over. */
  readonly floor?: number;
  readonly attributes?: object;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const geluTanh = (x: number): number => {
  return x * sigmoid(2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
};

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const claims: readonly [UnaryOp, Claim][] = [
  ['exp', { exact: Math.exp, ulp: 1.1 }],
  ['log', { exact: Math.log, ulp: 1.1 }],
  ['log1p', { exact: Math.log1p, ulp: 1.6 }],
  ['sin', { exact: Math.sin, ulp: 1.6 }],
  ['cos', { exact: Math.cos, ulp: 1.6 }],
  ['tanh', { exact: Math.tanh, ulp: 1.7 }],
  ['sigmoid', { exact: sigmoid, ulp: 2.5 }],
  ['erf', { exact: erf, ulp: 1.5 }],
  ['elu', { exact: (x) => (x > 0 ? x : Math.expm1(x)), ulp: 1.6, attributes: { alpha: 1 } }],
  [
    'gelu',
    { exact: (x) => x * normalTail(-x), ulp: 5, floor: 4e-44, attributes: { approximate: 'none' } },
  ],
  ['gelu', { exact: geluTanh, ulp: 4, range: [-1, 1], attributes: { approximate: 'tanh' } }],
  [
    'mish',
    { exact: (x) => x * Math.tanh(softplus(x)), ulp: 4, floor: 2e-43, range: [-150, Infinity] },
  ],
  ['silu', { exact: (x) => x * sigmoid(x), ulp: 3.5, floor: 2e-43, range: [-150, Infinity] }],
  ['softplus', { exact: softplus, ulp: 2 }],
  ['logSigmoid', { exact: (x) => -softplus(-x), ulp: 2 }],
];

describe.each<Build>(['fma', 'base'])('build %s', (build) => {
  let harness: KernelHarness;
  beforeAll(() => {
    harness = new KernelHarness({ build, megabytes: 256 });
  });
  function apply(op: UnaryOp, attributes: object, x: Float32Array): Float32Array {
    const y = harness.allocate(x.byteLength);
    const plan = { op, dtype: 'float32', attributes, x: harness.put(x), y, count: x.length };
    planUnary(harness, plan as never);
    harness.expectUntouchedAround(y, x.byteLength);
    return harness.f32(y, x.length).slice();
  }
  it.each(claims)('%s keeps its stated error over all exponents', (op, claim) => {
    const { exact, ulp, range = [-Infinity, Infinity], floor = 0, attributes = {} } = claim;
    const x = sweep(range);
    const y = apply(op, attributes, x);
    let worst = 0;
    let where = 0;
    for (const [i, value] of x.entries()) {
      const wanted = exact(value);
      const rounded = Math.fround(wanted);
      if (Object.is(y[i], rounded) || y[i] === rounded) continue;
      const error = Math.abs(y[i]! - wanted);
      const units = error <= floor ? 0 : error / unit(wanted);
      if (!(units <= worst)) [worst, where] = [units, i];
    }
    const found = `${op}(${x[where]}) is ${y[where]}, not ${exact(x[where]!)}`;
    expect(worst <= ulp ? null : found).toBeNull();
  });
});
