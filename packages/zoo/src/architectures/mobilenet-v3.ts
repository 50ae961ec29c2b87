/**
 * MobileNetV3: inverted residual blocks found by search, with squeeze-and-excitation and hard swish. Howard et al. 2019,
 * arXiv:1905.02244, tables 1 and 2.
 */

import { add, scope, type Generator, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  Dropout,
  Flatten,
  Hardsigmoid,
  Hardswish,
  Linear,
  Module,
  ReLU,
  Sequential,
  SqueezeExcite,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { convNorm, makeDivisible } from '../blocks.ts';
import { initializeMobile } from '../initial-values.ts';

type Row = readonly [
  kernelSize: number,
  expanded: number,
  channels: number,
  squeeze: boolean,
  activation: 'RE' | 'HS',
  stride: number,
];
interface Table {
  readonly blocks: readonly Row[];
  /** Channels between the two layers of the classifier. */
  readonly last: number;
}

const tables: Readonly<Record<'mobilenet_v3_large' | 'mobilenet_v3_small', Table>> = {
  mobilenet_v3_large: {
    blocks: [
      [3, 16, 16, false, 'RE', 1],
      [3, 64, 24, false, 'RE', 2],
      [3, 72, 24, false, 'RE', 1],
      [5, 72, 40, true, 'RE', 2],
      [5, 120, 40, true, 'RE', 1],
      [5, 120, 40, true, 'RE', 1],
      [3, 240, 80, false, 'HS', 2],
      [3, 200, 80, false, 'HS', 1],
      [3, 184, 80, false, 'HS', 1],
      [3, 184, 80, false, 'HS', 1],
      [3, 480, 112, true, 'HS', 1],
      [3, 672, 112, true, 'HS', 1],
      [5, 672, 160, true, 'HS', 2],
      [5, 960, 160, true, 'HS', 1],
      [5, 960, 160, true, 'HS', 1],
    ],
    last: 1280,
  },
  mobilenet_v3_small: {
    blocks: [
      [3, 16, 16, true, 'RE', 2],
      [3, 72, 24, false, 'RE', 2],
      [3, 88, 24, false, 'RE', 1],
      [5, 96, 40, true, 'HS', 2],
      [5, 240, 40, true, 'HS', 1],
      [5, 240, 40, true, 'HS', 1],
      [5, 120, 48, true, 'HS', 1],
      [5, 144, 48, true, 'HS', 1],
      [5, 288, 96, true, 'HS', 2],
      [5, 576, 96, true, 'HS', 1],
      [5, 576, 96, true, 'HS', 1],
    ],
    last: 1024,
  },
};

const norm = { epsilon: 1e-3, momentum: 0.01 };

class InvertedResidual extends Module {
  readonly block: Sequential;
  readonly residual: boolean;

  constructor(inChannels: number, row: Row, generator: Generator | undefined) {
    super();
    const [kernelSize, expanded, outChannels, squeeze, nonlinearity, stride] = row;
    const activation = (): Module => (nonlinearity === 'HS' ? new Hardswish() : new ReLU());
    const unit = { ...norm, generator };
    const layers: Module[] = [];
    if (expanded !== inChannels) {
      layers.push(
        convNorm({
          ...unit,
          inChannels,
          outChannels: expanded,
          kernelSize: 1,
          activation: activation(),
        }),
      );
    }
    layers.push(
      convNorm({
        ...unit,
        inChannels: expanded,
        outChannels: expanded,
        kernelSize,
        stride,
        groups: expanded,
        activation: activation(),
      }),
    );
    if (squeeze) {
      const squeezeChannels = makeDivisible(Math.floor(expanded / 4));
      const gate = new Hardsigmoid();
      layers.push(new SqueezeExcite({ channels: expanded, squeezeChannels, gate, generator }));
    }
    layers.push(convNorm({ ...unit, inChannels: expanded, outChannels, kernelSize: 1 }));
    this.residual = stride === 1 && inChannels === outChannels;
    this.block = new Sequential(layers);
  }

  override forward(x: Tensor): Tensor {
    return this.residual ? scope(() => add(this.block.forward(x), x)) : this.block.forward(x);
  }
}

export const mobilenetV3: Architecture<keyof typeof tables> = defineArchitecture({
  family: 'mobilenet_v3',
  paper: 'Howard et al. 2019, arXiv:1905.02244',
  variants: {
    mobilenet_v3_large: { params: 5_483_032, macs: 216_589_760 },
    mobilenet_v3_small: { params: 2_542_856, macs: 56_510_400 },
  },
  input: { channels: 3, size: 224, minSize: 1 },
  head: 'classifier.3',
  stem: 'features.0.0',
  build(variant, { numClasses, inChannels, generator }) {
    const { blocks, last } = tables[variant];
    const unit = { ...norm, generator };
    let channels = 16;
    const features: Module[] = [
      convNorm({
        ...unit,
        inChannels,
        outChannels: channels,
        kernelSize: 3,
        stride: 2,
        activation: new Hardswish(),
      }),
    ];
    for (const row of blocks) {
      features.push(new InvertedResidual(channels, row, generator));
      channels = row[2];
    }
    const wide = 6 * channels;
    features.push(
      convNorm({
        ...unit,
        inChannels: channels,
        outChannels: wide,
        kernelSize: 1,
        activation: new Hardswish(),
      }),
    );
    const model = new Sequential({
      features: new Sequential(features),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      classifier: new Sequential([
        new Linear({ inFeatures: wide, outFeatures: last, generator }),
        new Hardswish(),
        new Dropout({ p: 0.2 }),
        new Linear({ inFeatures: last, outFeatures: numClasses, generator }),
      ]),
    });
    initializeMobile(model, generator);
    return model;
  },
});
