import { js } from '@convoke/backend-js';
import { register, use } from '@convoke/core';
import { Flatten, Linear, Sequential } from '@convoke/nn';
import { beforeAll, expect, it } from 'vitest';

import {
  createModel,
  defineArchitecture,
  listModels,
  modelInfo,
  registerArchitecture,
} from '../src/index.ts';

beforeAll(async () => {
  register(js);
  await use('js');
});

it('a name that is not there is answered with names near it', async () => {
  await expect(createModel('resnet_18')).rejects.toThrow(/'resnet_18'.*resnet18/);
  await expect(modelInfo('vgg')).rejects.toThrow(/vgg1\d/);
});

it('an alias is the network it stands for', async () => {
  expect(await modelInfo('lenet5')).toEqual(await modelInfo('lenet5_modern'));
  expect(await listModels()).not.toContain('lenet5');
});

it('listModels filters by a part of the name', async () => {
  const names = await listModels('vgg16');
  expect(names).toEqual(['vgg16', 'vgg16_bn']);
});

it('numbers that make no sense are mistakes', async () => {
  await expect(createModel('lenet5', { numClasses: 0 })).rejects.toThrow(/numClasses.*0/);
  await expect(createModel('lenet5', { inChannels: 1.5 })).rejects.toThrow(/inChannels.*1.5/);
});

it('an architecture of another package is created by its name; a name that is taken is not', async () => {
  const tiny = defineArchitecture({
    family: 'tiny',
    paper: 'none',
    variants: { tiny_linear: { params: 130, macs: 128 } },
    input: { channels: 1, size: 8 },
    numClasses: 2,
    head: 'fc',
    stem: 'fc',
    build: (_, { numClasses, inChannels, generator }) =>
      new Sequential({
        flatten: new Flatten(),
        fc: new Linear({ inFeatures: 64 * inChannels, outFeatures: numClasses, generator }),
      }),
  });
  registerArchitecture(tiny);
  const model = await createModel('tiny_linear');
  expect(model.parameters().reduce((sum, { size }) => sum + size, 0)).toBe(130);
  expect(await listModels('tiny_')).toEqual(['tiny_linear']);
  expect(() => registerArchitecture(tiny)).toThrow(/tiny_linear/);
  model.dispose();
});
