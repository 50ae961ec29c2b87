import { add, conv2d, convTranspose2d, Generator, ShapeError, tensor, zeros } from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  Conv2d,
  ConvTranspose2d,
  DepthwiseSeparable,
  LocallyConnected2d,
} from '../../src/index.ts';
import { useJs } from '../networks.ts';

beforeAll(useJs);

const generator = new Generator(3);
const image = (...shape: number[]) => generator.normal(shape);

async function expectClose(
  actual: { data(): Promise<ArrayLike<number>> },
  expected: ArrayLike<number>,
) {
  const values = await actual.data();
  expect(values).toHaveLength(expected.length);
  for (let i = 0; i < values.length; i++) expect(values[i]).toBeCloseTo(expected[i]!, 4);
}

describe('Conv2d', () => {
  test('passes its options on to conv2d', async () => {
    const options = {
      stride: [2, 1],
      padding: [1, 0, 2, 1],
      paddingMode: 'reflect',
      dilation: [1, 2],
      groups: 2,
      activation: 'relu',
    } as const;
    using layer = new Conv2d({ inChannels: 4, outChannels: 6, kernelSize: [3, 2], ...options });
    expect(layer.weight.shape).toEqual([6, 2, 3, 2]);
    expect(layer.bias!.shape).toEqual([6]);
    using x = image(2, 4, 7, 9);
    using y = layer.forward(x);
    using expected = conv2d(x, layer.weight, { ...options, bias: layer.bias! });
    expect(y.shape).toEqual(expected.shape);
    expect(await y.data()).toEqual(await expected.data());
  });

  test('has no bias where none is wanted, and keeps the size with padding same', () => {
    using layer = new Conv2d({
      inChannels: 1,
      outChannels: 2,
      kernelSize: 4,
      padding: 'same',
      bias: false,
    });
    expect([...layer.stateDict().keys()]).toEqual(['weight']);
    using x = image(1, 1, 5, 5);
    expect(layer.forward(x).shape).toEqual([1, 2, 5, 5]);
  });

  test.each([
    [{ inChannels: 0, outChannels: 1, kernelSize: 3 }, /inChannels must be a whole number >= 1/],
    [
      { inChannels: 3, outChannels: 4, kernelSize: 3, groups: 2 },
      /inChannels 3 is no multiple of groups 2/,
    ],
    [{ inChannels: 1, outChannels: 1, kernelSize: 1.5 }, /kernelSize must be/],
  ] as const)('refuses %o', (config, message) => {
    expect(() => new Conv2d(config)).toThrow(ShapeError);
    expect(() => new Conv2d(config)).toThrow(message);
  });

  test('refuses negative padding and images of other channels when it runs', () => {
    using layer = new Conv2d({ inChannels: 1, outChannels: 1, kernelSize: 1, padding: -1 });
    using x = image(1, 1, 3, 3);
    expect(() => layer.forward(x)).toThrow(ShapeError);
    using colour = image(1, 3, 3, 3);
    using plain = new Conv2d({ inChannels: 1, outChannels: 1, kernelSize: 1 });
    expect(() => plain.forward(colour)).toThrow(/3 channels/);
  });
});

test('ConvTranspose2d passes its options on to convTranspose2d', async () => {
  const options = { stride: 2, padding: 1, outputPadding: 1, groups: 2 } as const;
  using layer = new ConvTranspose2d({ inChannels: 4, outChannels: 6, kernelSize: 3, ...options });
  expect(layer.weight.shape).toEqual([4, 3, 3, 3]);
  using x = image(1, 4, 5, 5);
  using y = layer.forward(x);
  using expected = convTranspose2d(x, layer.weight, { ...options, bias: layer.bias! });
  expect(y.shape).toEqual([1, 6, 10, 10]);
  expect(await y.data()).toEqual(await expected.data());
});

test('DepthwiseSeparable filters each channel by itself, then mixes channels', async () => {
  using layer = new DepthwiseSeparable({
    inChannels: 2,
    outChannels: 3,
    kernelSize: 2,
    multiplier: 2,
    stride: 2,
  });
  const shapes = [...layer.stateDict()].map(([name, { shape }]) => [name, shape]);
  expect(shapes).toEqual([
    ['depthwise.weight', [4, 1, 2, 2]],
    ['pointwise.weight', [3, 4, 1, 1]],
    ['pointwise.bias', [3]],
  ]);
  using x = image(1, 2, 4, 4);
  const [pixels, filters, mix, bias] = await Promise.all(
    [x, layer.depthwise.weight, layer.pointwise.weight, layer.pointwise.bias!].map((t) => t.data()),
  );
  const expected: number[] = [];
  for (let o = 0; o < 3; o++) {
    for (let row = 0; row < 2; row++) {
      for (let column = 0; column < 2; column++) {
        let value = bias![o]!;
        for (let m = 0; m < 4; m++) {
          for (let tap = 0; tap < 4; tap++) {
            const at = (m >> 1) * 16 + (2 * row + (tap >> 1)) * 4 + 2 * column + (tap & 1);
            value += mix![o * 4 + m]! * filters![m * 4 + tap]! * pixels![at]!;
          }
        }
        expected.push(value);
      }
    }
  }
  using y = layer.forward(x);
  expect(y.shape).toEqual([1, 3, 2, 2]);
  await expectClose(y, expected);
});

describe('LocallyConnected2d', () => {
  test('has another filter at every place', async () => {
    using layer = new LocallyConnected2d({
      inChannels: 2,
      outChannels: 3,
      inputSize: [5, 4],
      kernelSize: [3, 2],
      stride: [2, 1],
      padding: [1, 0],
    });
    expect(layer.weight.shape).toEqual([3, 3, 3, 2, 3, 2]);
    expect(layer.bias!.shape).toEqual([3, 3, 3]);
    using x = image(2, 2, 5, 4);
    const [pixels, filters, bias] = await Promise.all(
      [x, layer.weight, layer.bias!].map((t) => t.data()),
    );
    const pixel = (n: number, c: number, h: number, w: number): number =>
      h < 0 || h >= 5 ? 0 : pixels![((n * 2 + c) * 5 + h) * 4 + w]!;
    const expected: number[] = [];
    for (let n = 0; n < 2; n++) {
      for (let o = 0; o < 3; o++) {
        for (let row = 0; row < 3; row++) {
          for (let column = 0; column < 3; column++) {
            let value = bias![(o * 3 + row) * 3 + column]!;
            for (let c = 0; c < 2; c++) {
              for (let i = 0; i < 3; i++) {
                for (let j = 0; j < 2; j++) {
                  const at = ((((row * 3 + column) * 3 + o) * 2 + c) * 3 + i) * 2 + j;
                  value += filters![at]! * pixel(n, c, 2 * row + i - 1, column + j);
                }
              }
            }
            expected.push(value);
          }
        }
      }
    }
    using y = layer.forward(x);
    expect(y.shape).toEqual([2, 3, 3, 3]);
    await expectClose(y, expected);
  });

  test('is a convolution where all filters are the same', async () => {
    using layer = new LocallyConnected2d({
      inChannels: 2,
      outChannels: 3,
      inputSize: 6,
      kernelSize: 3,
      bias: false,
    });
    const filter = generator.normal([3, 2, 3, 3]);
    layer.weight.assign(add(zeros(layer.weight.shape), filter));
    using x = image(1, 2, 6, 6);
    using y = layer.forward(x);
    using expected = conv2d(x, filter);
    expect(y.shape).toEqual(expected.shape);
    await expectClose(y, await expected.data());
  });

  test('refuses images of another size, and kernels that do not fit', () => {
    const config = { inChannels: 1, outChannels: 1, inputSize: 4, kernelSize: 3 };
    using layer = new LocallyConnected2d(config);
    using x = tensor(new Float32Array(25), { shape: [1, 1, 5, 5] });
    expect(() => layer.forward(x)).toThrow(/expected \[N, 1, 4, 4\]/);
    expect(() => new LocallyConnected2d({ ...config, kernelSize: 5 })).toThrow(ShapeError);
    expect(() => new LocallyConnected2d({ ...config, padding: -1 })).toThrow(/padding/);
  });
});
