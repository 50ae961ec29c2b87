import { DataError, memory, noGrad, ones, ShapeError, tensor, type Tensor } from '@convoke/core';
import { beforeAll, expect, test } from 'vitest';

import {
  Branches,
  DepthwiseSeparable,
  Conv2d,
  Flatten,
  Identity,
  type Module,
  ReLU,
  Residual,
  Sequential,
  SqueezeExcite,
  Hardsigmoid,
} from '../../src/index.ts';
import { useJs } from '../networks.ts';

beforeAll(useJs);

test('Sequential runs one after another, by number or name', async () => {
  using net = new Sequential([new ReLU(), new Flatten()]);
  using x = tensor([-1, 2, -3, 4], { shape: [1, 2, 1, 2] });
  using y = net.forward(x);
  expect(y.shape).toEqual([1, 4]);
  expect(await y.data()).toEqual(Float32Array.of(0, 2, 0, 4));
  expect([...net.namedChildren().keys()]).toEqual(['0', '1']);
  expect([...new Sequential({ b: new ReLU(), a: new ReLU() }).namedChildren().keys()]).toEqual([
    'b',
    'a',
  ]);
  expect(() => new Sequential([]).forward(x)).toThrow(DataError);
  expect(() => new Sequential([3 as unknown as Module])).toThrow(/'0' is no module/);
});

test('Residual adds the shortcut, then activates', async () => {
  using x = tensor([-1, 2], { shape: [1, 2] });
  using doubled = new Residual({ body: new Identity() }).forward(x);
  expect(await doubled.data()).toEqual(Float32Array.of(-2, 4));
  using activated = new Residual({ body: new Identity(), activation: new ReLU() }).forward(x);
  expect(await activated.data()).toEqual(Float32Array.of(0, 4));
  using other = new Residual({ body: new ReLU(), shortcut: new ReLU() }).forward(x);
  expect(await other.data()).toEqual(Float32Array.of(0, 4));
});

test('Residual does not broadcast shapes that differ', () => {
  using block = new Residual({
    body: new Conv2d({ inChannels: 1, outChannels: 3, kernelSize: 1 }),
  });
  using x = ones([1, 1, 2, 2]);
  expect(() => block.forward(x)).toThrow(ShapeError);
  expect(() => block.forward(x)).toThrow(/body gives \[1, 3, 2, 2\], the shortcut \[1, 1, 2, 2\]/);
});

test('Branches joins what all give along the channels', async () => {
  using x = tensor([-1, 2], { shape: [1, 1, 1, 2] });
  using branches = new Branches({ branch1: new Identity(), branch2: new ReLU() });
  using y = branches.forward(x);
  expect(y.shape).toEqual([1, 2, 1, 2]);
  expect(await y.data()).toEqual(Float32Array.of(-1, 2, 0, 2));
});

test("SqueezeExcite multiplies channels by factors of the image's means", async () => {
  using layer = new SqueezeExcite({ channels: 2, squeezeChannels: 1, gate: new Hardsigmoid() });
  expect([...layer.stateDict()].map(([name, { shape }]) => [name, shape])).toEqual([
    ['fc1.weight', [1, 2, 1, 1]],
    ['fc1.bias', [1]],
    ['fc2.weight', [2, 1, 1, 1]],
    ['fc2.bias', [2]],
  ]);
  const set = (slot: Tensor, values: number[]): void =>
    (slot as typeof layer.fc1.weight).assign(tensor(values, { shape: slot.shape }));
  set(layer.fc1.weight, [1, 0.5]);
  set(layer.fc1.bias!, [0.25]);
  set(layer.fc2.weight, [1, -1]);
  set(layer.fc2.bias!, [0, 1]);
  using x = tensor([1, 3, -2, 4], { shape: [1, 2, 1, 2] });
  using y = layer.forward(x);
  // Means 2 and 1; squeezed 2 + 0.5 + 0.25; gates of 2.75 and -1.75 by relu6(z + 3) / 6.
  const [first, second] = [5.75 / 6, 1.25 / 6];
  const expected = [first, 3 * first, -2 * second, 4 * second];
  (await y.data()).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 6));
  using flat = ones([1, 2]);
  expect(() => layer.forward(flat)).toThrow(/expected \[N, C, H, W\]/);
});

test('containers and DepthwiseSeparable free what passes between their modules', () => {
  using net = new Sequential([
    new Residual({ body: new ReLU() }),
    new Branches([new ReLU(), new Identity()]),
    new SqueezeExcite({ channels: 2, squeezeChannels: 1 }),
  ]);
  using separable = new DepthwiseSeparable({ inChannels: 1, outChannels: 2, kernelSize: 1 });
  using x = ones([1, 1, 2, 2]);
  const { handles } = memory();
  noGrad(() => net.forward(x)).dispose();
  noGrad(() => separable.forward(x)).dispose();
  expect(memory().handles).toBe(handles);
});
