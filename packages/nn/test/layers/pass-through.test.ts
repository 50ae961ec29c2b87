// Layers that are a function of core with its options: each gives what the function gives.

import * as core from '@convoke/core';
import { beforeAll, expect, test } from 'vitest';

import * as nn from '../../src/index.ts';
import { useJs } from '../networks.ts';

beforeAll(useJs);

type Apply = (x: core.Tensor) => core.Tensor;

const cases: readonly (readonly [string, () => nn.Module, Apply])[] = [
  ['ReLU', () => new nn.ReLU(), core.relu],
  ['ReLU6', () => new nn.ReLU6(), core.relu6],
  ['SELU', () => new nn.SELU(), core.selu],
  ['SiLU', () => new nn.SiLU(), core.silu],
  ['Mish', () => new nn.Mish(), core.mish],
  ['Hardswish', () => new nn.Hardswish(), core.hardswish],
  ['Hardsigmoid', () => new nn.Hardsigmoid(), core.hardsigmoid],
  ['Sigmoid', () => new nn.Sigmoid(), core.sigmoid],
  ['LogSigmoid', () => new nn.LogSigmoid(), core.logSigmoid],
  ['Tanh', () => new nn.Tanh(), core.tanh],
  ['Softplus', () => new nn.Softplus(), core.softplus],
  ['Softsign', () => new nn.Softsign(), core.softsign],
  ['Hardtanh', () => new nn.Hardtanh(), (x) => core.hardtanh(x)],
  [
    'Hardtanh with limits',
    () => new nn.Hardtanh({ min: -0.2, max: 0.3 }),
    (x) => core.hardtanh(x, { min: -0.2, max: 0.3 }),
  ],
  ['LeakyReLU', () => new nn.LeakyReLU(), (x) => core.leakyRelu(x, { negativeSlope: 0.01 })],
  [
    'LeakyReLU with a slope',
    () => new nn.LeakyReLU({ negativeSlope: 0.3 }),
    (x) => core.leakyRelu(x, { negativeSlope: 0.3 }),
  ],
  ['PReLU', () => new nn.PReLU(), (x) => core.leakyRelu(x, { negativeSlope: 0.25 })],
  [
    'PReLU by channel',
    () => new nn.PReLU({ channels: 2, init: 0.5 }),
    (x) => core.leakyRelu(x, { negativeSlope: 0.5 }),
  ],
  ['ELU', () => new nn.ELU(), (x) => core.elu(x, { alpha: 1 })],
  ['ELU with alpha', () => new nn.ELU({ alpha: 2 }), (x) => core.elu(x, { alpha: 2 })],
  ['GELU', () => new nn.GELU(), (x) => core.gelu(x, { approximate: 'none' })],
  [
    'GELU by tanh',
    () => new nn.GELU({ approximate: 'tanh' }),
    (x) => core.gelu(x, { approximate: 'tanh' }),
  ],
  [
    'ScaledTanh',
    () => new nn.ScaledTanh(),
    (x) => core.scaledTanh(x, { amplitude: 1.7159, slope: 2 / 3 }),
  ],
  ['Softmax', () => new nn.Softmax(), (x) => core.softmax(x, { axis: 1 })],
  ['LogSoftmax', () => new nn.LogSoftmax({ axis: -1 }), (x) => core.logSoftmax(x, { axis: 3 })],
  ['Identity', () => new nn.Identity(), core.clone],
  ['Flatten', () => new nn.Flatten(), (x) => core.reshape(x, [2, 72])],
  ['Flatten of axes', () => new nn.Flatten({ startAxis: 2 }), (x) => core.reshape(x, [2, 2, 36])],
  [
    'MaxPool2d',
    () => new nn.MaxPool2d({ kernelSize: 3, stride: 2, padding: 1, ceilMode: true }),
    (x) => core.maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }),
  ],
  [
    'AvgPool2d',
    () => new nn.AvgPool2d({ kernelSize: 2, padding: 1, countIncludePad: false }),
    (x) => core.avgPool2d(x, { kernelSize: 2, stride: 2, padding: 1, countIncludePad: false }),
  ],
  [
    'AdaptiveAvgPool2d',
    () => new nn.AdaptiveAvgPool2d({ outputSize: 1 }),
    (x) => core.mean(x, { axis: [2, 3], keepDims: true }),
  ],
  [
    'AdaptiveMaxPool2d',
    () => new nn.AdaptiveMaxPool2d({ outputSize: 1 }),
    (x) => core.max(x, { axis: [2, 3], keepDims: true }),
  ],
  [
    'Upsample',
    () => new nn.Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: true }),
    (x) => core.interpolate(x, { size: 12, mode: 'bilinear', alignCorners: true }),
  ],
];

test.each(cases)('%s', async (_, make, apply) => {
  using layer = make();
  using x = new core.Generator(6).normal([2, 2, 6, 6], { std: 3 });
  using y = layer.forward(x);
  using expected = apply(x);
  expect(y.shape).toEqual(expected.shape);
  const [actual, wanted] = await Promise.all([y.data(), expected.data()]);
  wanted.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
  // Every layer gives a new tensor: its input can be freed.
  expect(y).not.toBe(x);
});

test('Linear multiplies by its weight and adds its bias', async () => {
  using layer = new nn.Linear({ inFeatures: 2, outFeatures: 2 });
  layer.weight.assign(core.tensor([1, 2, 3, 4], { shape: [2, 2] }));
  layer.bias!.assign(core.tensor([10, 20]));
  using x = core.tensor([1, -1], { shape: [1, 2] });
  using y = layer.forward(x);
  expect(await y.data()).toEqual(Float32Array.of(9, 19));
  using wrong = core.ones([1, 3]);
  expect(() => layer.forward(wrong)).toThrow(core.ShapeError);
});
