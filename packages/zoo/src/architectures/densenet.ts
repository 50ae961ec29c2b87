/**
 * DenseNet-BC: every layer of a block takes what all before it gave. Huang et al. 2016, arXiv:1608.06993, table 1, growth
 * rate 32.
 */

import type { Generator } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  initialize,
  kaimingNormal,
  zeros,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { Mixed } from '../mixed.ts';

/** Layers of each block. */
const tables = {
  densenet121: [6, 12, 24, 16],
  densenet169: [6, 12, 32, 32],
  densenet201: [6, 12, 48, 32],
} as const;

const growth = 32;

/** 1x1 to four times the growth, then 3x3 to the growth, each after its normalisation. */
function denseLayer(inChannels: number, generator: Generator | undefined): Module {
  const narrow = 4 * growth;
  return new Sequential({
    norm1: new BatchNorm2d({ channels: inChannels }),
    relu1: new ReLU(),
    conv1: new Conv2d({ inChannels, outChannels: narrow, kernelSize: 1, bias: false, generator }),
    norm2: new BatchNorm2d({ channels: narrow }),
    relu2: new ReLU(),
    conv2: new Conv2d({
      inChannels: narrow,
      outChannels: growth,
      kernelSize: 3,
      padding: 1,
      bias: false,
      generator,
    }),
  });
}

/** Each layer's output is joined to its input. */
function denseBlock(inChannels: number, count: number, generator: Generator | undefined): Module {
  const layers = Array.from({ length: count }, (_, i) => {
    const layer = denseLayer(inChannels + i * growth, generator);
    return [`denselayer${i + 1}`, layer] as const;
  });
  return new Mixed(Object.fromEntries(layers), ...layers.map(([name]) => [[], [name]]));
}

/** Half the channels, half the height and width. */
function transition(inChannels: number, generator: Generator | undefined): Module {
  return new Sequential({
    norm: new BatchNorm2d({ channels: inChannels }),
    relu: new ReLU(),
    conv: new Conv2d({
      inChannels,
      outChannels: inChannels / 2,
      kernelSize: 1,
      bias: false,
      generator,
    }),
    pool: new AvgPool2d({ kernelSize: 2 }),
  });
}

export const densenet: Architecture<keyof typeof tables> = defineArchitecture({
  family: 'densenet',
  paper: 'Huang et al. 2016, arXiv:1608.06993',
  variants: {
    densenet121: { params: 7_978_856, macs: 2_834_161_664 },
    densenet169: { params: 14_149_480, macs: 3_359_843_328 },
    densenet201: { params: 20_013_928, macs: 4_291_365_888 },
  },
  input: { channels: 3, size: 224, minSize: 29 },
  head: 'classifier',
  stem: 'features.conv0',
  build(variant, { numClasses, inChannels, generator }) {
    let channels = 64;
    const features: Record<string, Module> = {
      conv0: new Conv2d({
        inChannels,
        outChannels: channels,
        kernelSize: 7,
        stride: 2,
        padding: 3,
        bias: false,
        generator,
      }),
      norm0: new BatchNorm2d({ channels }),
      relu0: new ReLU(),
      pool0: new MaxPool2d({ kernelSize: 3, stride: 2, padding: 1 }),
    };
    for (const [i, count] of tables[variant].entries()) {
      if (i > 0) {
        features[`transition${i}`] = transition(channels, generator);
        channels /= 2;
      }
      features[`denseblock${i + 1}`] = denseBlock(channels, count, generator);
      channels += count * growth;
    }
    features['norm5'] = new BatchNorm2d({ channels });
    const model = new Sequential({
      features: new Sequential(features),
      relu: new ReLU(),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      classifier: new Linear({ inFeatures: channels, outFeatures: numClasses, generator }),
    });
    initialize(model, ({ name, shape, module }) => {
      if (module instanceof Conv2d) return kaimingNormal(shape, { generator });
      if (name === 'classifier.bias') return zeros(shape);
      return null;
    });
    return model;
  },
});
