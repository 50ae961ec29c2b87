// Every rule of the gradient table against central differences, and its own derivative too.

import { type OpAttributes, type OpName } from '@convoke/backend-api';
import { beforeAll, describe, expect, it } from 'vitest';

import { rules } from '../../src/autograd/gradients.ts';
import { savedPositions } from '../../src/autograd/saved.ts';
import { run } from '../../src/dispatch.ts';
import {
  add,
  checkGradients,
  explain,
  mul,
  scope,
  square,
  sum,
  tensor,
  valueAndGrad,
  where,
  type Tensor,
} from '../../src/index.ts';
import { floats, ints, useJs } from '../lab.ts';

beforeAll(useJs);

interface Call {
  readonly inputs: () => Tensor[];
  readonly apply: (...inputs: Tensor[]) => Tensor;
}

const mixed = (): Tensor => floats([2, 3], [0.5, -1.25, 2, -0.4, 1.5, -0.75]);
const other = (): Tensor => floats([3], [0.7, -0.3, 1.2]);
const positive = (): Tensor => floats([2, 3], [0.5, 1.25, 2, 0.4, 1.5, 0.75]);

type Plain = {
  [K in OpName]: Readonly<Record<never, never>> extends OpAttributes[K] ? K : never;
}[OpName];

const plain = (op: Plain, ...inputs: (() => Tensor)[]): Call => ({
  inputs: () => inputs.map((make) => make()),
  apply: (...args) => run(op, args, {}),
});
const call = <K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  ...inputs: (() => Tensor)[]
): Call => ({
  inputs: () => inputs.map((make) => make()),
  apply: (...args) => run(op, args, attributes),
});
/** With an int32 tensor after the first argument. */
const indexed = <K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  shape: number[],
  values: number[],
  ...inputs: (() => Tensor)[]
): Call => ({
  inputs: () => inputs.map((make) => make()),
  apply: (first, ...rest) =>
    scope(() => run(op, [first!, ints(shape, values), ...rest], attributes)),
});

const images = (): Tensor => floats([2, 2, 4, 3], 5);
/** No two elements closer than 0.05, so that a small step changes no maximum. */
const distinct = (): Tensor =>
  floats(
    [2, 2, 4, 3],
    Array.from({ length: 48 }, (_, i) => ((i * 29) % 48) / 20 - 1.2),
  );
const filters = (): Tensor => floats([4, 1, 2, 2], 7);
const conv = {
  stride: [2, 1],
  padding: [1, 0, 0, 1],
  lhsDilation: [1, 1],
  rhsDilation: [1, 2],
  groups: 2,
} as const;
const outputs = (): Tensor => floats([2, 4, 2, 2], 9);
const fused = { ...conv, activation: 'relu', residual: true } as const;
const window = {
  kernelSize: [2, 2],
  stride: [2, 1],
  padding: [1, 0, 0, 1],
  dilation: [1, 1],
} as const;
const reduced = { axes: [1], keepDims: false };

const calls: { readonly [K in OpName]?: Call } = {
  neg: plain('neg', mixed),
  abs: plain('abs', mixed),
  exp: plain('exp', mixed),
  log: plain('log', positive),
  log1p: plain('log1p', positive),
  sqrt: plain('sqrt', positive),
  sin: plain('sin', mixed),
  cos: plain('cos', mixed),
  tanh: plain('tanh', mixed),
  erf: plain('erf', mixed),
  rsqrt: plain('rsqrt', positive),
  square: plain('square', mixed),
  reciprocal: plain('reciprocal', positive),
  sigmoid: plain('sigmoid', mixed),
  logSigmoid: plain('logSigmoid', mixed),
  relu: plain('relu', mixed),
  reluGradient: plain('reluGradient', mixed, mixed),
  clamp: call('clamp', { min: -1, max: 1.75 }, mixed),
  leakyRelu: call('leakyRelu', { negativeSlope: 0.2 }, mixed),
  elu: call('elu', { alpha: 0.7 }, mixed),
  selu: plain('selu', mixed),
  silu: plain('silu', mixed),
  mish: plain('mish', mixed),
  softplus: plain('softplus', mixed),
  softsign: plain('softsign', mixed),
  hardswish: plain('hardswish', mixed),
  hardsigmoid: plain('hardsigmoid', mixed),
  scaledTanh: call('scaledTanh', { amplitude: 1.7, slope: 0.6 }, mixed),
  add: plain('add', mixed, other),
  sub: plain('sub', mixed, other),
  mul: plain('mul', mixed, other),
  div: plain('div', mixed, () => floats([2, 1], [1.3, -0.9])),
  pow: plain('pow', positive, other),
  maximum: plain('maximum', mixed, other),
  minimum: plain('minimum', mixed, other),
  select: {
    inputs: () => [mixed(), other()],
    apply: (a, b) =>
      scope(() =>
        where(
          tensor([
            [true, false, true],
            [false, false, true],
          ]),
          a!,
          b!,
        ),
      ),
  },
  reduceSum: call('reduceSum', reduced, mixed),
  reduceMean: call('reduceMean', { axes: [0], keepDims: true }, mixed),
  reduceProd: call('reduceProd', reduced, mixed),
  reduceMax: call('reduceMax', reduced, mixed),
  reduceMin: call('reduceMin', reduced, mixed),
  cumsum: call('cumsum', { axis: 1 }, mixed),
  sort: call('sort', { axis: 1, descending: true }, mixed),
  reshape: call('reshape', { shape: [3, 2] }, mixed),
  permute: call('permute', { permutation: [2, 0, 1] }, () => floats([2, 3, 2], 4)),
  broadcastTo: call('broadcastTo', { shape: [4, 2, 3] }, other),
  pad: call('pad', { before: [1, 0], after: [0, 2], interior: [2, 1], value: 3 }, mixed),
  slice: call('slice', { starts: [0, 0], sizes: [1, 2], steps: [1, 2] }, mixed),
  flip: call('flip', { axes: [1] }, mixed),
  concat: call('concat', { axis: 0 }, mixed, mixed),
  gather: indexed('gather', { axis: 1 }, [2, 4], [2, 0, 2, 1, 1, 1, 0, 2], mixed),
  scatterAdd: indexed('scatterAdd', { axis: 1 }, [2, 2], [2, 0, 1, 1], mixed, () =>
    floats([2, 2], [1, -0.5, 0.3, 0.8]),
  ),
  matmul: call(
    'matmul',
    { transposeA: true, transposeB: false },
    () => floats([2, 3, 2], 3),
    () => floats([3, 2], 6),
  ),
  conv2d: call('conv2d', conv, images, filters),
  fusedConv2d: call(
    'fusedConv2d',
    fused,
    images,
    filters,
    () => floats([4], [0.3, -0.2, 0.4, 0.1]),
    outputs,
  ),
  conv2dInputGradient: call(
    'conv2dInputGradient',
    { ...conv, inputSize: [4, 3] },
    outputs,
    filters,
  ),
  conv2dFilterGradient: call(
    'conv2dFilterGradient',
    { ...conv, kernelSize: [2, 2] },
    images,
    outputs,
  ),
  maxPool2d: call('maxPool2d', window, distinct),
  sumPool2d: call('sumPool2d', window, images),
  averagePool2d: call(
    'averagePool2d',
    { ...window, divisor: 'valid', countedPadding: window.padding },
    images,
  ),
  resample: {
    inputs: () => [mixed()],
    apply: (x) =>
      scope(() => {
        const windows = [floats([2, 2], [0.5, 0.25, 0.75, -0.5]), ints([2], [0, 1])];
        const transposed = [floats([3, 2], [0.5, 0, 0.25, 0.75, -0.5, 0]), ints([3], [0, 0, 1])];
        return run('resample', [x!, ...windows, ...transposed], { axis: 1 });
      }),
  },
  batchNormTrain: call(
    'batchNormTrain',
    { epsilon: 0.1 },
    () => floats([3, 2, 2], 8),
    () => floats([2], [1.2, 0.7]),
    () => floats([2], [0.1, -0.3]),
  ),
  softmax: call('softmax', { axis: 1 }, mixed),
  logSoftmax: call('logSoftmax', { axis: 0 }, mixed),
  softmaxCrossEntropy: indexed('softmaxCrossEntropy', {}, [2], [2, 0], mixed),
};

/** Different factors for each element, so that no two of them can be mistaken for each other. */
function weighted(y: Tensor): Tensor {
  const factors = Float32Array.from({ length: y.size }, (_, i) => 0.4 + ((i * 5) % 7) / 10);
  return sum(mul(square(add(y, 0.3)), tensor(factors, { shape: y.shape })));
}

describe('the table of gradient rules', () => {
  it('has a case here for every rule', () => {
    expect(Object.keys(calls).toSorted()).toEqual(Object.keys(rules).toSorted());
  });

  it('is told apart from decomposed ops by what the tape saves', () => {
    const unsaved = (Object.keys(rules) as OpName[]).filter((op) => {
      const attributes = op === 'fusedConv2d' ? fused : {};
      return savedPositions(op, attributes as OpAttributes[typeof op]) === null;
    });
    expect(unsaved).toEqual([]);
  });

  it.each(Object.entries(calls))(
    '%s: the rule agrees with differences',
    async (_, { inputs, apply }) => {
      const check = await checkGradients((...args) => weighted(apply(...args)), inputs());
      expect(check).toMatchObject({ passed: true });
    },
  );

  it.each(Object.entries(calls))(
    '%s: the derivative of the rule agrees with differences',
    async (_, { inputs, apply }) => {
      const slopes = valueAndGrad((...args) => weighted(apply(...args)));
      const check = await checkGradients(
        (...args) =>
          slopes(...args)
            .grads.map((slope) => weighted(slope))
            .reduce((a, b) => add(a, b)),
        inputs(),
        { epsilon: 4e-3, tolerance: 2e-2 },
      );
      expect(check).toMatchObject({ passed: true });
    },
  );
});

/** Gradients of sum(y * upstream) of one op. */
async function slopesOf(
  apply: (...inputs: Tensor[]) => Tensor,
  ...inputs: Tensor[]
): Promise<number[][]> {
  const { grads } = valueAndGrad((...args) => sum(apply(...args)))(...inputs);
  return Promise.all(grads.map(async (slope) => Array.from(await slope.data())));
}

describe('gradients at special points', () => {
  it('share an extreme evenly among ties', async () => {
    const [slopes] = await slopesOf(
      (a) => run('reduceMax', [a], { axes: [0], keepDims: false }),
      floats([4], [1, 3, 3, 0]),
    );
    expect(slopes).toEqual([0, 0.5, 0.5, 0]);
  });

  it('halve between the sides of a tie of maximum', async () => {
    const slopes = await slopesOf(
      (a, b) => run('maximum', [a, b], {}),
      floats([2], [1, 2]),
      floats([2], [1, 3]),
    );
    expect(slopes).toEqual([
      [0.5, 0],
      [0.5, 1],
    ]);
  });

  it.each([
    ['relu', {}, [0], [0]],
    ['clamp', { min: -1, max: 1 }, [-1, 1, 0.5], [0, 0, 1]],
    ['hardswish', {}, [-3, 3], [-0.5, 1]],
    ['hardsigmoid', {}, [-3, 3], [0, 0]],
    ['elu', { alpha: 0.5 }, [0], [0.5]],
    ['abs', {}, [0], [0]],
  ] as const)(
    '%s keeps the conventions of PyTorch at its kinks',
    async (op, attributes, at, expected) => {
      const [slopes] = await slopesOf(
        (a) => run(op, [a], attributes as OpAttributes[typeof op]),
        floats([at.length], at),
      );
      expect(slopes).toEqual([...expected]);
    },
  );

  it('of a power are finite at a base or exponent of 0', async () => {
    const slopes = await slopesOf(
      (a, b) => run('pow', [a, b], {}),
      floats([4], [0, 0, 0, 2]),
      floats([4], [0, 1, 2, 0]),
    );
    expect(slopes[0]).toEqual([0, 1, 0, 0]);
    expect(slopes[1]!.slice(0, 3)).toEqual([0, 0, 0]);
    expect(slopes[1]![3]).toBeCloseTo(Math.log(2), 6);
  });

  it.each([1, 2, 3, 5, 8])('of a product of %i factors take zeros', async (length) => {
    for (const zeros of [0, 1, 2]) {
      const factors = Array.from({ length }, (_, i) => (i < zeros ? 0 : 1.5 - i / 4));
      const [slopes] = await slopesOf(
        (a) => run('reduceProd', [a], { axes: [0], keepDims: false }),
        floats([length], factors),
      );
      const expected = factors.map((_, i) => factors.reduce((p, f, j) => (i === j ? p : p * f), 1));
      expect(slopes!.map((slope, i) => Math.abs(slope - expected[i]!) < 1e-6)).not.toContain(false);
    }
  });

  it('of a long product take a few dozen ops', () => {
    const long = floats([1, 1000], 2);
    const product = valueAndGrad((a) =>
      sum(run('reduceProd', [a], { axes: [1], keepDims: false })),
    );
    const { ops } = explain(() => product(long));
    expect(ops.reduce((total, op) => total + op.run, 0)).toBeLessThan(120);
  });
});
