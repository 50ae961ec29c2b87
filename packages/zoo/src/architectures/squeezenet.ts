/**
 * SqueezeNet: modules that squeeze to few channels by 1x1 and expand by 1x1 and 3x3 side by side. Iandola et al. 2016,
 * arXiv:1602.07360, table 1. Version 1.1 pools earlier, for 2.3 times less work.
 */

import type { Generator } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  MaxPool2d,
  ReLU,
  Sequential,
  initialize,
  kaimingUniform,
  normal,
  zeros,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { Mixed } from '../mixed.ts';

/** The first convolution's channels and kernel, then pools and the squeezed channels of Fire modules, which expand to 8 times as many. */
const tables = {
  squeezenet1_0: {
    channels: 96,
    kernelSize: 7,
    modules: ['pool', 16, 16, 32, 'pool', 32, 48, 48, 64, 'pool', 64],
  },
  squeezenet1_1: {
    channels: 64,
    kernelSize: 3,
    modules: ['pool', 16, 16, 'pool', 32, 32, 'pool', 48, 48, 64, 64],
  },
} as const;

const pool = (): Module => new MaxPool2d({ kernelSize: 3, stride: 2, ceilMode: true });

function fire(inChannels: number, squeezed: number, generator: Generator | undefined): Module {
  const expanded = 4 * squeezed;
  const conv = (inputs: number, outputs: number, kernelSize: number): Conv2d =>
    new Conv2d({
      inChannels: inputs,
      outChannels: outputs,
      kernelSize,
      padding: (kernelSize - 1) / 2,
      generator,
    });
  return new Mixed(
    {
      squeeze: conv(inChannels, squeezed, 1),
      squeeze_activation: new ReLU(),
      expand1x1: conv(squeezed, expanded, 1),
      expand1x1_activation: new ReLU(),
      expand3x3: conv(squeezed, expanded, 3),
      expand3x3_activation: new ReLU(),
    },
    [['squeeze', 'squeeze_activation']],
    [
      ['expand1x1', 'expand1x1_activation'],
      ['expand3x3', 'expand3x3_activation'],
    ],
  );
}

export const squeezenet: Architecture<'squeezenet1_0' | 'squeezenet1_1'> = defineArchitecture({
  family: 'squeezenet',
  paper: 'Iandola et al. 2016, arXiv:1602.07360',
  variants: {
    squeezenet1_0: {
      params: 1_248_424,
      macs: 818_924_576,
      input: { channels: 3, size: 224, minSize: 21 },
    },
    squeezenet1_1: { params: 1_235_496, macs: 349_151_936 },
  },
  input: { channels: 3, size: 224, minSize: 17 },
  head: 'classifier.1',
  stem: 'features.0',
  build(variant, { numClasses, inChannels, generator }) {
    const { channels: first, kernelSize, modules } = tables[variant];
    const features: Module[] = [
      new Conv2d({ inChannels, outChannels: first, kernelSize, stride: 2, generator }),
      new ReLU(),
    ];
    let channels: number = first;
    for (const item of modules) {
      features.push(item === 'pool' ? pool() : fire(channels, item, generator));
      if (item !== 'pool') channels = 8 * item;
    }
    const model = new Sequential({
      features: new Sequential(features),
      classifier: new Sequential([
        new Dropout({ p: 0.5 }),
        new Conv2d({ inChannels: channels, outChannels: numClasses, kernelSize: 1, generator }),
        new ReLU(),
        new AdaptiveAvgPool2d({ outputSize: 1 }),
      ]),
      flatten: new Flatten(),
    });
    initialize(model, ({ name, shape }) => {
      if (name.endsWith('bias')) return zeros(shape);
      if (name === 'classifier.1.weight') return normal(shape, { std: 0.01, generator });
      return kaimingUniform(shape, { generator });
    });
    return model;
  },
});
