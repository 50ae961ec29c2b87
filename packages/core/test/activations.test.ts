import { beforeAll, describe, expect, it } from 'vitest';

import * as ops from '../src/index.ts';
import {
  backward,
  DtypeError,
  parameter,
  ShapeError,
  sum,
  tensor,
  type Tensor,
} from '../src/index.ts';
import { mismatch, floats, useJs } from './lab.ts';

beforeAll(useJs);

const at = [-100, -6, -3, -1.5, -0.5, 0, 0.5, 1.5, 3, 6, 6.5, 100];
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** log(1 + e^x), which is x for large x. */
const softplus = (x: number): number => (x > 40 ? x : Math.log1p(Math.exp(x)));
const limit = (x: number, min: number, max: number): number => Math.min(Math.max(x, min), max);

const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
/** The normal distribution function by integrating its density with Simpson's rule. */
function normal(x: number): number {
  const bound = limit(x, -12, 12);
  const n = 4000;
  let total = density(0) + density(bound);
  for (let i = 1; i < n; i++) total += (i % 2 === 1 ? 4 : 2) * density((i * bound) / n);
  return 0.5 + (bound / n / 3) * total;
}

const cases: [string, (x: Tensor) => Tensor, (x: number) => number][] = [
  ['sigmoid', ops.sigmoid, sigmoid],
  ['logSigmoid', ops.logSigmoid, (x) => -softplus(-x)],
  ['tanh', ops.tanh, Math.tanh],
  ['scaledTanh', (x) => ops.scaledTanh(x), (x) => 1.7159 * Math.tanh((2 / 3) * x)],
  [
    'scaledTanh with other factors',
    (x) => ops.scaledTanh(x, { amplitude: 2, slope: 0.5 }),
    (x) => 2 * Math.tanh(x / 2),
  ],
  ['relu', ops.relu, (x) => Math.max(x, 0)],
  ['relu6', ops.relu6, (x) => limit(x, 0, 6)],
  ['clamp', (x) => ops.clamp(x, { min: -1, max: 2 }), (x) => limit(x, -1, 2)],
  ['clamp with one limit', (x) => ops.clamp(x, { max: 2 }), (x) => Math.min(x, 2)],
  ['hardtanh', (x) => ops.hardtanh(x), (x) => limit(x, -1, 1)],
  ['leakyRelu', (x) => ops.leakyRelu(x), (x) => (x > 0 ? x : 0.01 * x)],
  ['elu', (x) => ops.elu(x, { alpha: 0.5 }), (x) => (x > 0 ? x : 0.5 * Math.expm1(x))],
  [
    'selu',
    ops.selu,
    // alpha and scale as the paper defines them, to its digits.
    (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  ],
  ['silu', ops.silu, (x) => x * sigmoid(x)],
  ['mish', ops.mish, (x) => x * Math.tanh(softplus(x))],
  ['softplus', ops.softplus, softplus],
  ['softsign', ops.softsign, (x) => x / (1 + Math.abs(x))],
  ['hardswish', ops.hardswish, (x) => (x * limit(x + 3, 0, 6)) / 6],
  ['hardsigmoid', ops.hardsigmoid, (x) => limit(x + 3, 0, 6) / 6],
  ['gelu', (x) => ops.gelu(x), (x) => x * normal(x)],
  [
    'gelu by tanh',
    (x) => ops.gelu(x, { approximate: 'tanh' }),
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ],
];

describe('activations', () => {
  it.each(cases)('%s follows its formula, far out too', async (_, apply, formula) => {
    expect(
      await mismatch(apply(floats([at.length], at)), {
        shape: [at.length],
        data: at.map(formula),
      }),
    ).toBeNull();
  });

  it('refuse limits in the wrong order and other dtypes', () => {
    const x = floats([1], [0]);
    expect(() => ops.clamp(x, { min: 2, max: 1 })).toThrow(ShapeError);
    expect(() => ops.gelu(x, { approximate: 'fast' as 'tanh' })).toThrow(
      /approximate must be .*'fast'/,
    );
    expect(() => ops.silu(tensor([1], { dtype: 'int32' }))).toThrow(DtypeError);
  });
});

describe('prelu', () => {
  it('takes one slope, or one for each channel', async () => {
    const x = floats([1, 2, 2], [-1, 2, -3, 4]);
    expect(
      await mismatch(ops.prelu(x, tensor([0.5])), { shape: [1, 2, 2], data: [-0.5, 2, -1.5, 4] }),
    ).toBeNull();
    expect(
      await mismatch(ops.prelu(x, tensor([0.5, 0.1])), {
        shape: [1, 2, 2],
        data: [-0.5, 2, -0.3, 4],
      }),
    ).toBeNull();
    expect(
      await mismatch(ops.prelu(tensor(-2), tensor([0.5])), { shape: [], data: [-1] }),
    ).toBeNull();
  });

  it('learns its slopes', async () => {
    const slopes = parameter(tensor([0.5, 0.1]));
    backward(sum(ops.prelu(floats([2, 2], [-1, 2, -3, -4]), slopes)));
    expect(await slopes.grad!.data()).toEqual(Float32Array.of(-4, -4));
  });

  it('names a weight that does not fit', () => {
    const x = floats([1, 3], 1);
    expect(() => ops.prelu(x, tensor([1, 2]))).toThrow(/^prelu: .*\[2\].*\[1, 3\]/);
    expect(() => ops.prelu(x, tensor([[1]]))).toThrow(ShapeError);
  });
});

/** Logarithms of the shares that powers of e have of their sum. */
function logShares(values: number[]): number[] {
  const top = Math.max(...values);
  const total = values.reduce((sofar, value) => sofar + Math.exp(value - top), 0);
  return values.map((value) => value - top - Math.log(total));
}

describe('softmax and logSoftmax', () => {
  const data = [1, -2, 0.5, 1000, 999, 998];

  it.each([0, 1, -1, -2])('sum to 1 along axis %i without overflow', async (axis) => {
    const x = floats([2, 3], data);
    const rows = axis % 2 === 0;
    const expected = data.map((_, i) => {
      const line = rows
        ? [data[i % 3]!, data[(i % 3) + 3]!]
        : data.slice(i - (i % 3), i - (i % 3) + 3);
      return logShares(line)[rows ? Math.floor(i / 3) : i % 3]!;
    });
    const shape = [2, 3];
    const shares = expected.map(Math.exp);
    expect(await mismatch(ops.softmax(x, { axis }), { shape, data: shares })).toBeNull();
    expect(await mismatch(ops.logSoftmax(x, { axis }), { shape, data: expected })).toBeNull();
  });

  it('name an axis out of range', () => {
    expect(() => ops.softmax(floats([2], 1), { axis: 1 })).toThrow(
      /^softmax: axis 1 is out of range/,
    );
    expect(() => ops.logSoftmax(tensor(1))).toThrow(/^logSoftmax: .*scalar/);
  });
});
