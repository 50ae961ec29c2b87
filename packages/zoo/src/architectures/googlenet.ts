/**
 * GoogLeNet (Inception v1): blocks of 1x1, 3x3 and 5x5 convolutions and a pool side by side, and two classifiers on the way
 * that help training. Szegedy et al. 2014, arXiv:1409.4842, table 1.
 *
 * `googlenet` is torchvision's: batch normalisation in place of biases and of response normalisation, and 3x3 convolutions
 * where the paper has 5x5. `googlenet_2014` is the paper's, with the names of torchvision.
 */

import { adaptiveAvgPool2d, avgPool2d, scope, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  Branches,
  Dropout,
  Flatten,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import {
  initializeTruncated,
  SequentialWithAuxiliary,
  TransformInput,
  unitsOf,
  type MakeUnit,
} from '../inception-blocks.ts';
import { flag } from '../options.ts';

/** Channels of: 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; after the pool. */
type Row = readonly [number, number, number, number, number, number];

// prettier-ignore
const table: Readonly<Record<string, Row>> = {
  inception3a: [ 64,  96, 128, 16,  32,  32],
  inception3b: [128, 128, 192, 32,  96,  64],
  inception4a: [192,  96, 208, 16,  48,  64],
  inception4b: [160, 112, 224, 24,  64,  64],
  inception4c: [128, 128, 256, 24,  64,  64],
  inception4d: [112, 144, 288, 32,  64,  64],
  inception4e: [256, 160, 320, 32, 128, 128],
  inception5a: [256, 160, 320, 32, 128, 128],
  inception5b: [384, 192, 384, 48, 128, 128],
};
const widthOf = ([one, , three, , five, pooled]: Row): number => one + three + five + pooled;

export interface GoogLeNetOptions {
  /** Whether there are auxiliary classifiers. Default true. */
  readonly auxiliary: boolean;
  /**
   * Whether images come normalised by ImageNet's mean and deviation and are changed to (value - 0.5) / 0.5 within, as
   * torchvision's weights want. Default false.
   */
  readonly transformInput: boolean;
}

const pool = (kernelSize: number): MaxPool2d =>
  new MaxPool2d({ kernelSize, stride: 2, ceilMode: true });

function inception(conv: MakeUnit, inChannels: number, row: Row, largest: number): Branches {
  const [one, threeReduced, three, fiveReduced, five, pooled] = row;
  return new Branches({
    branch1: conv(inChannels, one, 1),
    branch2: new Sequential([conv(inChannels, threeReduced, 1), conv(threeReduced, three, 3)]),
    branch3: new Sequential([conv(inChannels, fiveReduced, 1), conv(fiveReduced, five, largest)]),
    branch4: new Sequential([
      new MaxPool2d({ kernelSize: 3, stride: 1, padding: 1 }),
      conv(inChannels, pooled, 1),
    ]),
  });
}

/** The input averaged to 4x4; in the paper by windows of 5x5, which gives 4x4 in a network for 224x224. */
class AuxiliaryPool extends Module {
  readonly asPaper: boolean;

  constructor(asPaper: boolean) {
    super();
    this.asPaper = asPaper;
  }

  override forward(x: Tensor): Tensor {
    const [height, width] = [x.shape[2]!, x.shape[3]!];
    return scope(() => {
      const windows = this.asPaper && height >= 14 && width >= 14;
      const averaged = windows ? avgPool2d(x, { kernelSize: 5, stride: 3 }) : x;
      return adaptiveAvgPool2d(averaged, { outputSize: 4 });
    });
  }
}

export const googlenet: Architecture<'googlenet' | 'googlenet_2014', GoogLeNetOptions> =
  defineArchitecture({
    family: 'googlenet',
    paper: 'Szegedy et al. 2014, arXiv:1409.4842',
    variants: {
      googlenet: { params: 13_004_888, macs: 1_498_376_192 },
      googlenet_2014: {
        params: 13_378_280,
        macs: 1_582_671_872,
        input: { channels: 3, size: 224, minSize: 31 },
      },
    },
    input: { channels: 3, size: 224, minSize: 15 },
    head: 'fc',
    stem: 'conv1.conv',
    options: { auxiliary: flag, transformInput: flag },
    build(variant, options) {
      const {
        numClasses,
        inChannels,
        generator,
        auxiliary = true,
        transformInput = false,
      } = options;
      const asPaper = variant === 'googlenet_2014';
      const conv = unitsOf({ generator, normalized: !asPaper });
      const blocks: Record<string, Module> = {};
      let channels = 192;
      for (const [name, row] of Object.entries(table)) {
        blocks[name] = inception(conv, channels, row, asPaper ? 5 : 3);
        channels = widthOf(row);
        if (name === 'inception3b') blocks['maxpool3'] = pool(3);
        if (name === 'inception4e') blocks['maxpool4'] = pool(asPaper ? 3 : 2);
      }
      const classifier = (inputs: number): Module =>
        new Sequential({
          pool: new AuxiliaryPool(asPaper),
          conv: conv(inputs, 128, 1),
          flatten: new Flatten(),
          fc1: new Linear({ inFeatures: 2048, outFeatures: 1024, generator }),
          relu: new ReLU(),
          dropout: new Dropout({ p: 0.7 }),
          fc2: new Linear({ inFeatures: 1024, outFeatures: numClasses, generator }),
        });
      // Krizhevsky's response normalisation, beside the first two pools.
      const norm = (name: string): Record<string, Module> =>
        asPaper ? { [name]: new LocalResponseNorm({ size: 5 }) } : {};
      const model = new SequentialWithAuxiliary(
        {
          ...(transformInput && { transform: new TransformInput() }),
          conv1: conv(inChannels, 64, 7, { stride: 2 }),
          maxpool1: pool(3),
          ...norm('norm1'),
          conv2: conv(64, 64, 1),
          conv3: conv(64, 192, 3),
          ...norm('norm2'),
          maxpool2: pool(3),
          ...blocks,
          ...(auxiliary && {
            aux1: classifier(widthOf(table['inception4a']!)),
            aux2: classifier(widthOf(table['inception4d']!)),
          }),
          avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
          flatten: new Flatten(),
          dropout: new Dropout({ p: asPaper ? 0.4 : 0.2 }),
          fc: new Linear({ inFeatures: channels, outFeatures: numClasses, generator }),
        },
        { after: auxiliary ? { aux1: 'inception4a', aux2: 'inception4d' } : {}, share: 0.3 },
      );
      initializeTruncated(model, () => 0.01, generator);
      return model;
    },
  });
