/**
 * MnasNet-B1: inverted residual blocks chosen by a search for accuracy at a latency. Tan et al. 2018, arXiv:1807.11626,
 * figure 7.
 */

import { add, scope, type Generator, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  Module,
  ReLU,
  Sequential,
  initialize,
  kaimingNormal,
  kaimingUniform,
  zeros,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';

/** Channels, kernel, stride of the first block, expansion, number of blocks. */
const table = [
  [24, 3, 2, 3, 3],
  [40, 5, 2, 3, 3],
  [80, 5, 2, 6, 3],
  [96, 3, 1, 6, 2],
  [192, 5, 2, 6, 4],
  [320, 3, 1, 6, 1],
] as const;

interface UnitConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly groups?: number;
  readonly generator: Generator | undefined;
}

/** Convolution and normalisation, whose running statistics change as slowly as in the original. */
const unit = (config: UnitConfig): Module[] => [
  new Conv2d({ ...config, padding: (config.kernelSize - 1) / 2, bias: false }),
  new BatchNorm2d({ channels: config.outChannels, momentum: 1 - 0.9997 }),
];

interface BlockConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly expansion: number;
  readonly generator: Generator | undefined;
}

class InvertedResidual extends Module {
  readonly layers: Sequential;
  readonly residual: boolean;

  constructor(config: BlockConfig) {
    super();
    const { inChannels, outChannels, kernelSize, stride, expansion, generator } = config;
    const wide = inChannels * expansion;
    const from = { inChannels: wide, generator };
    this.residual = stride === 1 && inChannels === outChannels;
    this.layers = new Sequential([
      ...unit({ inChannels, outChannels: wide, kernelSize: 1, generator }),
      new ReLU(),
      ...unit({ ...from, outChannels: wide, kernelSize, stride, groups: wide }),
      new ReLU(),
      ...unit({ ...from, outChannels, kernelSize: 1 }),
    ]);
  }

  override forward(x: Tensor): Tensor {
    return this.residual ? scope(() => add(this.layers.forward(x), x)) : this.layers.forward(x);
  }
}

export const mnasnet: Architecture<'mnasnet1_0'> = defineArchitecture({
  family: 'mnasnet',
  paper: 'Tan et al. 2018, arXiv:1807.11626',
  variants: { mnasnet1_0: { params: 4_383_312, macs: 314_415_872 } },
  input: { channels: 3, size: 224, minSize: 1 },
  head: 'classifier.1',
  stem: 'layers.0',
  build(_variant, { numClasses, inChannels, generator }) {
    const layers: Module[] = [
      ...unit({ inChannels, outChannels: 32, kernelSize: 3, stride: 2, generator }),
      new ReLU(),
      ...unit({ inChannels: 32, outChannels: 32, kernelSize: 3, groups: 32, generator }),
      new ReLU(),
      ...unit({ inChannels: 32, outChannels: 16, kernelSize: 1, generator }),
    ];
    let channels = 16;
    for (const [outChannels, kernelSize, firstStride, expansion, count] of table) {
      const blocks = Array.from({ length: count }, (_, i) => {
        const block = new InvertedResidual({
          inChannels: channels,
          outChannels,
          kernelSize,
          stride: i === 0 ? firstStride : 1,
          expansion,
          generator,
        });
        channels = outChannels;
        return block;
      });
      layers.push(new Sequential(blocks));
    }
    layers.push(
      ...unit({ inChannels: channels, outChannels: 1280, kernelSize: 1, generator }),
      new ReLU(),
    );
    const model = new Sequential({
      layers: new Sequential(layers),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      classifier: new Sequential([
        new Dropout({ p: 0.2 }),
        new Linear({ inFeatures: 1280, outFeatures: numClasses, generator }),
      ]),
    });
    initialize(model, ({ name, shape, module }) => {
      if (module instanceof Conv2d) return kaimingNormal(shape, { mode: 'fanOut', generator });
      if (name === 'classifier.1.bias') return zeros(shape);
      if (name !== 'classifier.1.weight') return null;
      return kaimingUniform(shape, { mode: 'fanOut', nonlinearity: 'sigmoid', generator });
    });
    return model;
  },
});
