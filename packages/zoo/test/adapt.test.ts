import { js } from '@convoke/backend-js';
import {
  backward,
  crossEntropy,
  Generator,
  register,
  scope,
  tensor,
  use,
  type Slot,
} from '@convoke/core';
import { captureOutputs, SGD, type Module } from '@convoke/nn';
import { beforeAll, describe, expect, it } from 'vitest';

import { adaptInputChannels, createModel, freezeUpTo, resetHead } from '../src/index.ts';

beforeAll(async () => {
  register(js);
  await use('js');
});

const valuesOf = async (model: Module): Promise<Map<string, string>> => {
  const values = new Map<string, string>();
  for (const [name, slot] of model.stateDict()) values.set(name, String(await slot.data()));
  return values;
};

/** One step of training on random images. */
function step(model: Module, channels: number, size: number): void {
  const optimizer = new SGD(model.parameters() as Slot[], { lr: 0.1 });
  scope(() => {
    const x = new Generator(1).normal([2, channels, size, size]);
    const labels = tensor(Int32Array.of(0, 1), { dtype: 'int32' });
    backward(crossEntropy(model.forward(x), labels));
    optimizer.step();
  });
  optimizer.dispose();
}

describe('freezeUpTo', () => {
  it('leaves frozen parameters and statistics as they are, and trains the rest', async () => {
    const model = await createModel('resnet20_cifar', { generator: new Generator(1) });
    freezeUpTo(model, 'layer2.0');
    const before = await valuesOf(model);
    step(model, 3, 32);
    const after = await valuesOf(model);
    const changed = [...after].filter(([name, value]) => before.get(name) !== value);
    const frozen = /^(conv1|bn1|layer1|layer2\.0)\./;
    expect(changed.map(([name]) => name).filter((name) => frozen.test(name))).toEqual([]);
    const free = [...after.keys()].filter((name) => !frozen.test(name));
    expect(changed.map(([name]) => name).toSorted()).toEqual(free.toSorted());
    model.dispose();
  });
});

describe('resetHead', () => {
  it.each([
    ['resnet20_cifar', 32, 3],
    ['lenet5', 28, 1],
  ] as const)('%s gives logits for other classes, its other weights as before', async (...row) => {
    const [name, size, channels] = row;
    const model = (await createModel(name, { generator: new Generator(1) })).eval();
    const before = await valuesOf(model);
    await resetHead(model, name, { numClasses: 4, generator: new Generator(2) });
    const y = scope(() => model.forward(new Generator(3).normal([2, channels, size, size])));
    expect(y.shape).toEqual([2, 4]);
    const changed = [...(await valuesOf(model))].filter(
      ([key, value]) => before.get(key) !== value,
    );
    expect(changed.map(([key]) => key.replace(/fc3?\./, ''))).toEqual(['weight', 'bias']);
    y.dispose();
    model.dispose();
  });

  it('says what it cannot replace', async () => {
    const model = await createModel('lenet5');
    await expect(resetHead(model, 'pool1', { numClasses: 4 })).rejects.toThrow(/MaxPool2d/);
    model.dispose();
  });
});

describe('adaptInputChannels', () => {
  const weight = {
    dtype: 'float32' as const,
    shape: [1, 3, 1, 2],
    data: Float32Array.of(1, 2, 3, 4, 5, 6),
  };

  it('sums over the channels for one', () => {
    const { shape, data } = adaptInputChannels(weight, 1);
    expect(shape).toEqual([1, 1, 1, 2]);
    expect([...data]).toEqual([9, 12]);
  });

  it('repeats and scales for more, so that equal channels give the same sum', () => {
    const { shape, data } = adaptInputChannels(weight, 6);
    expect(shape).toEqual([1, 6, 1, 2]);
    const sumOf = (tap: number): number =>
      [0, 1, 2, 3, 4, 5].reduce((s, c) => s + data[2 * c + tap]!, 0);
    expect([sumOf(0), sumOf(1)]).toEqual([9, 12]);
    expect(data[0]).toBe(data[6]);
  });
});

describe('taps', () => {
  it('give features inside a network, and the output beside them', async () => {
    const model = (await createModel('resnet20_cifar')).eval();
    const x = new Generator(1).normal([1, 3, 32, 32]);
    const { output, taps } = captureOutputs(model, x, ['layer1', 'layer3', 'fc']);
    expect(output.shape).toEqual([1, 10]);
    expect([...taps].map(([name, { shape }]) => [name, shape])).toEqual([
      ['layer1', [1, 16, 32, 32]],
      ['layer3', [1, 64, 8, 8]],
      ['fc', [1, 10]],
    ]);
    expect(await taps.get('fc')!.data()).toEqual(await output.data());
    for (const each of [x, output, ...taps.values()]) each.dispose();
    expect(() => captureOutputs(model, x, ['layer9'])).toThrow(/layer9/);
    model.dispose();
  });
});
