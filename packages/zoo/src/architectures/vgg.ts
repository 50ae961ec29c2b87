/**
 * VGG: 3x3 convolutions in blocks, each block halving height and width and doubling channels. Simonyan and Zisserman 2014,
 * arXiv:1409.1556, table 1; `_bn` has batch normalisation after every convolution.
 */

import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  initialize,
  kaimingNormal,
  normal,
  zeros,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';

const widths = [64, 128, 256, 512, 512];
/** Convolutions of each block. */
const depths = {
  vgg11: [1, 1, 2, 2, 2],
  vgg13: [2, 2, 2, 2, 2],
  vgg16: [2, 2, 3, 3, 3],
  vgg19: [2, 2, 4, 4, 4],
} as const;

type Plain = keyof typeof depths;
type Name = Plain | `${Plain}_bn`;

export const vgg: Architecture<Name> = defineArchitecture({
  family: 'vgg',
  paper: 'Simonyan and Zisserman 2014, arXiv:1409.1556',
  variants: {
    vgg11: { params: 132_863_336, macs: 7_609_090_048 },
    vgg13: { params: 133_047_848, macs: 11_308_466_176 },
    vgg16: { params: 138_357_544, macs: 15_470_264_320 },
    vgg19: { params: 143_667_240, macs: 19_632_062_464 },
    vgg11_bn: { params: 132_868_840, macs: 7_609_090_048 },
    vgg13_bn: { params: 133_053_736, macs: 11_308_466_176 },
    vgg16_bn: { params: 138_365_992, macs: 15_470_264_320 },
    vgg19_bn: { params: 143_678_248, macs: 19_632_062_464 },
  },
  input: { channels: 3, size: 224, minSize: 32 },
  head: 'classifier.6',
  stem: 'features.0',
  build(variant, { numClasses, inChannels, generator }) {
    const normalized = variant.endsWith('_bn');
    const features: Module[] = [];
    let channels = inChannels;
    for (const [block, depth] of depths[variant.replace('_bn', '') as Plain].entries()) {
      for (let i = 0; i < depth; i++) {
        const outChannels = widths[block]!;
        features.push(
          new Conv2d({ inChannels: channels, outChannels, kernelSize: 3, padding: 1, generator }),
          ...(normalized ? [new BatchNorm2d({ channels: outChannels })] : []),
          new ReLU(),
        );
        channels = outChannels;
      }
      features.push(new MaxPool2d({ kernelSize: 2 }));
    }
    const dense = (inFeatures: number, outFeatures: number): Module =>
      new Linear({ inFeatures, outFeatures, generator });
    const model = new Sequential({
      features: new Sequential(features),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 7 }),
      flatten: new Flatten(),
      classifier: new Sequential([
        dense(512 * 7 * 7, 4096),
        new ReLU(),
        new Dropout(),
        dense(4096, 4096),
        new ReLU(),
        new Dropout(),
        dense(4096, numClasses),
      ]),
    });
    initialize(model, ({ name, shape, module }) => {
      if (module instanceof BatchNorm2d) return;
      if (name.endsWith('bias')) return zeros(shape);
      if (module instanceof Conv2d) return kaimingNormal(shape, { mode: 'fanOut', generator });
      return normal(shape, { std: 0.01, generator });
    });
    return model;
  },
});
