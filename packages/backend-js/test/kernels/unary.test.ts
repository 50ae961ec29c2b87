import type { OpAttributes, OpName } from '@convoke/backend-api';
import { describe, expect, test } from 'vitest';

import {
  distance,
  float,
  int,
  pseudoRandom,
  run,
  runDecomposed,
  runInPlace,
} from '../computing.ts';

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

const required: Readonly<Partial<Record<OpName, (x: number) => number>>> = {
  exp: Math.exp,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tanh: Math.tanh,
  floor: Math.floor,
  round: roundHalfToEven,
};

const special = [
  0, -0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 1e-30, -1e-30, 3, -3, 6, 88, -88, 1e20, -1e20,
];
/** Whole numbers end and halves begin at 2^23 in float32. */
const edges = [2 ** 22 + 0.5, 2 ** 22 + 1.5, 2 ** 23 - 0.5, -(2 ** 23) + 0.5, 2 ** 23, 2 ** 24 + 2];
const nonFinite = [Infinity, -Infinity, NaN];
const sample = float([...special, ...edges, ...nonFinite, ...pseudoRandom([200], 1).data]);

describe.each(Object.entries(required))('%s', (name, f) => {
  const op = name as 'exp';

  test('is the function of each element, rounded once', () => {
    const [y] = run(op, {}, sample);
    expect(distance(y!.data, Array.from(sample.data, f))).toBe(0);
  });

  test('gives the same in place', () => {
    expect(runInPlace(op, {}, sample)).toEqual(run(op, {}, sample));
  });
});

function fused<K extends OpName>(op: K, attributes: OpAttributes[K]): [string, K, OpAttributes[K]] {
  const details = Object.keys(attributes).length > 0 ? ` ${JSON.stringify(attributes)}` : '';
  return [op + details, op, attributes];
}

const optional = [
  fused('neg', {}),
  fused('abs', {}),
  fused('sign', {}),
  fused('rsqrt', {}),
  fused('square', {}),
  fused('reciprocal', {}),
  fused('sigmoid', {}),
  fused('logSigmoid', {}),
  fused('relu', {}),
  fused('clamp', { min: -0.75, max: 1.5 }),
  fused('clamp', { min: -Infinity, max: 2 }),
  fused('leakyRelu', { negativeSlope: 0.2 }),
  fused('elu', { alpha: 1.25 }),
  fused('selu', {}),
  fused('silu', {}),
  fused('mish', {}),
  fused('softplus', {}),
  fused('softsign', {}),
  fused('hardswish', {}),
  fused('hardsigmoid', {}),
  fused('gelu', { approximate: 'none' }),
  fused('gelu', { approximate: 'tanh' }),
  fused('scaledTanh', { amplitude: 1.7159, slope: 2 / 3 }),
] as const;

describe.each(optional)('%s', (_, op, attributes) => {
  test('equals its decomposition, infinities and NaN included', () => {
    const [direct] = run(op, attributes, sample);
    const [composed] = runDecomposed(op, attributes, sample);
    // The decomposition rounds after every step; near 0 of mish and gelu that costs several units.
    expect(distance(direct!.data, composed!.data)).toBeLessThan(1e-6);
  });

  test('gives the same in place', () => {
    expect(runInPlace(op, attributes, sample)).toEqual(run(op, attributes, sample));
  });
});

describe('float32 at the edges', () => {
  test('a NaN stays one, whatever its sign', () => {
    const words = Uint32Array.of(0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001);
    const x = float([...new Float32Array(words.buffer)]);
    new Uint32Array(x.data.buffer).set(words);
    for (const op of ['relu', 'sign', 'abs', 'round'] as const) {
      expect([...run(op, {}, x)[0]!.data]).toEqual([NaN, NaN, NaN, NaN]);
    }
    expect([...run('leakyRelu', { negativeSlope: 0.1 }, x)[0]!.data]).toEqual([NaN, NaN, NaN, NaN]);
  });

  test('sigmoid, softplus and their kin neither overflow nor lose their tails', () => {
    const x = float([-100, -90, 90, 100]);
    const tail = Math.exp(-90);
    expect(distance(run('sigmoid', {}, x)[0]!.data, [Math.exp(-100), tail, 1, 1])).toBe(0);
    expect(run('sigmoid', {}, x)[0]!.data[1]! / tail).toBeCloseTo(1, 6);
    expect(run('softplus', {}, x)[0]!.data[1]! / tail).toBeCloseTo(1, 6);
    expect(run('softplus', {}, x)[0]!.data.slice(2)).toEqual(Float32Array.of(90, 100));
    expect(run('logSigmoid', {}, x)[0]!.data.slice(0, 2)).toEqual(Float32Array.of(-100, -90));
    expect(run('mish', {}, x)[0]!.data.slice(2)).toEqual(Float32Array.of(90, 100));
  });

  test("gelu keeps the normal distribution's lower tail", () => {
    // -8 times the probability of a standard normal number below -8, by its continued fraction.
    const z = 8 / Math.SQRT2;
    let below = z;
    for (let n = 80; n >= 1; n--) below = z + n / 2 / below;
    const expected = (-8 * Math.exp(-z * z)) / Math.sqrt(Math.PI) / below / 2;
    const [y] = run('gelu', { approximate: 'none' }, float([-8]));
    expect(y!.data[0]! / expected).toBeCloseTo(1, 6);
  });
});

describe('int32', () => {
  const x = int([0, 1, -1, 7, -7, 46341, 2 ** 31 - 1, -(2 ** 31)]);
  test.each([
    ['neg', (v: number) => -v | 0],
    ['abs', (v: number) => Math.abs(v) | 0],
    ['sign', Math.sign],
    ['square', (v: number) => Math.imul(v, v)],
    ['relu', (v: number) => Math.max(v, 0)],
  ] as const)('%s is exact and wraps at 32 bits', (op, f) => {
    const [y] = run(op, {}, x);
    expect(y!.spec.dtype).toBe('int32');
    expect([...y!.data]).toEqual(Array.from(x.data, f));
    expect(runDecomposed(op, {}, x)).toEqual([y]);
  });

  test('clamp takes limits as whole numbers, and infinite ones', () => {
    const [y] = run('clamp', { min: -3, max: 5 }, x);
    expect([...y!.data]).toEqual([0, 1, -1, 5, -3, 5, 5, -3]);
    expect(runDecomposed('clamp', { min: -3, max: 5 }, x)).toEqual([y]);
    const [open] = run('clamp', { min: -Infinity, max: 5 }, x);
    expect([...open!.data]).toEqual([0, 1, -1, 5, -7, 5, 5, -(2 ** 31)]);
  });
});
