/**
 * MobileNetV2: residual blocks that are narrow at their ends and wide within, linear at the end. Sandler et al. 2018,
 * arXiv:1801.04381, table 2.
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
  ReLU6,
  Sequential,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { convNorm, makeDivisible } from '../blocks.ts';
import { initializeMobile } from '../initial-values.ts';
import { positive } from '../options.ts';

/** Expansion, channels, number of blocks, stride of the first. */
const table = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

const widths = {
  mobilenet_v2: 1,
  'mobilenet_v2_0.35': 0.35,
  'mobilenet_v2_0.5': 0.5,
  'mobilenet_v2_0.75': 0.75,
  'mobilenet_v2_1.4': 1.4,
} as const;

export interface MobileNetV2Options {
  /**
   * By which numbers of channels are multiplied, then rounded to multiples of 8; the last layer's 1280 only where it is
   * above 1. Default: the variant's.
   */
  readonly width: number;
}

interface BlockConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly expansion: number;
  readonly stride: number;
  readonly generator: Generator | undefined;
}

class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly residual: boolean;

  constructor({ inChannels, outChannels, expansion, stride, generator }: BlockConfig) {
    super();
    const wide = inChannels * expansion;
    const unit = { outChannels: wide, generator };
    this.residual = stride === 1 && inChannels === outChannels;
    this.conv = new Sequential([
      ...(expansion === 1
        ? []
        : [convNorm({ ...unit, inChannels, kernelSize: 1, activation: new ReLU6() })]),
      convNorm({
        ...unit,
        inChannels: wide,
        kernelSize: 3,
        stride,
        groups: wide,
        activation: new ReLU6(),
      }),
      new Conv2d({ inChannels: wide, outChannels, kernelSize: 1, bias: false, generator }),
      new BatchNorm2d({ channels: outChannels }),
    ]);
  }

  override forward(x: Tensor): Tensor {
    return this.residual ? scope(() => add(x, this.conv.forward(x))) : this.conv.forward(x);
  }
}

export const mobilenetV2: Architecture<keyof typeof widths, MobileNetV2Options> =
  defineArchitecture({
    family: 'mobilenet_v2',
    paper: 'Sandler et al. 2018, arXiv:1801.04381',
    variants: {
      mobilenet_v2: { params: 3_504_872, macs: 300_774_272 },
      'mobilenet_v2_0.35': { params: 1_677_128, macs: 59_285_808 },
      'mobilenet_v2_0.5': { params: 1_968_680, macs: 97_131_840 },
      'mobilenet_v2_0.75': { params: 2_636_424, macs: 209_069_792 },
      'mobilenet_v2_1.4': { params: 6_108_776, macs: 582_195_824 },
    },
    input: { channels: 3, size: 224, minSize: 1 },
    head: 'classifier.1',
    stem: 'features.0.0',
    options: { width: positive },
    build(variant, { numClasses, inChannels, generator, width = widths[variant] }) {
      const first = makeDivisible(32 * width);
      const last = makeDivisible(1280 * Math.max(1, width));
      const features: Module[] = [
        convNorm({
          inChannels,
          outChannels: first,
          kernelSize: 3,
          stride: 2,
          activation: new ReLU6(),
          generator,
        }),
      ];
      let channels = first;
      for (const [expansion, full, count, firstStride] of table) {
        const outChannels = makeDivisible(full * width);
        for (let i = 0; i < count; i++) {
          const stride = i === 0 ? firstStride : 1;
          features.push(
            new InvertedResidual({
              inChannels: channels,
              outChannels,
              expansion,
              stride,
              generator,
            }),
          );
          channels = outChannels;
        }
      }
      features.push(
        convNorm({
          inChannels: channels,
          outChannels: last,
          kernelSize: 1,
          activation: new ReLU6(),
          generator,
        }),
      );
      const model = new Sequential({
        features: new Sequential(features),
        avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
        flatten: new Flatten(),
        classifier: new Sequential([
          new Dropout({ p: 0.2 }),
          new Linear({ inFeatures: last, outFeatures: numClasses, generator }),
        ]),
      });
      initializeMobile(model, generator);
      return model;
    },
  });
