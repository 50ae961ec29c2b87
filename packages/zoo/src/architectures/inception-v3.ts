/**
 * Inception v3: 5x5 convolutions as pairs of 3x3, 7x7 ones as rows and columns, and a classifier on the way that helps
 * training. Szegedy et al. 2015, arXiv:1512.00567, table 1; names and numbers as in torchvision.
 */

import { avgPool2d, maxPool2d, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  Sequential,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import {
  halving,
  initializeTruncated,
  SequentialWithAuxiliary,
  TransformInput,
  unitsOf,
  valid,
  type MakeUnit,
} from '../inception-blocks.ts';
import { Mixed } from '../mixed.ts';
import { flag } from '../options.ts';

export interface InceptionV3Options {
  /** Whether there is an auxiliary classifier. Default true. */
  readonly auxiliary: boolean;
  /**
   * Whether images come normalised by ImageNet's mean and deviation and are changed to (value - 0.5) / 0.5 within, as
   * torchvision's weights want. Default false.
   */
  readonly transformInput: boolean;
}

const averaged = (x: Tensor): Tensor => avgPool2d(x, { kernelSize: 3, stride: 1, padding: 1 });
const largest = (x: Tensor): Tensor => maxPool2d(x, { kernelSize: 3, stride: 2 });
const row = (length: number): readonly [number, number] => [1, length];
const column = (length: number): readonly [number, number] => [length, 1];

/** Figure 5: 35x35. */
const blockA = (conv: MakeUnit, channels: number, pooled: number): Module =>
  new Mixed(
    {
      branch1x1: conv(channels, 64, 1),
      branch5x5_1: conv(channels, 48, 1),
      branch5x5_2: conv(48, 64, 5),
      branch3x3dbl_1: conv(channels, 64, 1),
      branch3x3dbl_2: conv(64, 96, 3),
      branch3x3dbl_3: conv(96, 96, 3),
      branch_pool: conv(channels, pooled, 1),
    },
    [
      ['branch1x1'],
      ['branch5x5_1', 'branch5x5_2'],
      ['branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'],
      [averaged, 'branch_pool'],
    ],
  );

/** Figure 10: 35x35 to 17x17. */
const blockB = (conv: MakeUnit, channels: number): Module =>
  new Mixed(
    {
      branch3x3: conv(channels, 384, 3, halving),
      branch3x3dbl_1: conv(channels, 64, 1),
      branch3x3dbl_2: conv(64, 96, 3),
      branch3x3dbl_3: conv(96, 96, 3, halving),
    },
    [['branch3x3'], ['branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'], [largest]],
  );

/** Figure 6, with n = 7: 17x17. */
const blockC = (conv: MakeUnit, channels: number, inner: number): Module =>
  new Mixed(
    {
      branch1x1: conv(channels, 192, 1),
      branch7x7_1: conv(channels, inner, 1),
      branch7x7_2: conv(inner, inner, row(7)),
      branch7x7_3: conv(inner, 192, column(7)),
      branch7x7dbl_1: conv(channels, inner, 1),
      branch7x7dbl_2: conv(inner, inner, column(7)),
      branch7x7dbl_3: conv(inner, inner, row(7)),
      branch7x7dbl_4: conv(inner, inner, column(7)),
      branch7x7dbl_5: conv(inner, 192, row(7)),
      branch_pool: conv(channels, 192, 1),
    },
    [
      ['branch1x1'],
      ['branch7x7_1', 'branch7x7_2', 'branch7x7_3'],
      ['branch7x7dbl_1', 'branch7x7dbl_2', 'branch7x7dbl_3', 'branch7x7dbl_4', 'branch7x7dbl_5'],
      [averaged, 'branch_pool'],
    ],
  );

/** 17x17 to 8x8. */
const blockD = (conv: MakeUnit, channels: number): Module =>
  new Mixed(
    {
      branch3x3_1: conv(channels, 192, 1),
      branch3x3_2: conv(192, 320, 3, halving),
      branch7x7x3_1: conv(channels, 192, 1),
      branch7x7x3_2: conv(192, 192, row(7)),
      branch7x7x3_3: conv(192, 192, column(7)),
      branch7x7x3_4: conv(192, 192, 3, halving),
    },
    [
      ['branch3x3_1', 'branch3x3_2'],
      ['branch7x7x3_1', 'branch7x7x3_2', 'branch7x7x3_3', 'branch7x7x3_4'],
      [largest],
    ],
  );

/** Figure 7: 8x8. */
const blockE = (conv: MakeUnit, channels: number): Module =>
  new Mixed(
    {
      branch1x1: conv(channels, 320, 1),
      branch3x3_1: conv(channels, 384, 1),
      branch3x3_2a: conv(384, 384, row(3)),
      branch3x3_2b: conv(384, 384, column(3)),
      branch3x3dbl_1: conv(channels, 448, 1),
      branch3x3dbl_2: conv(448, 384, 3),
      branch3x3dbl_3a: conv(384, 384, row(3)),
      branch3x3dbl_3b: conv(384, 384, column(3)),
      branch_pool: conv(channels, 192, 1),
    },
    [
      ['branch1x1'],
      ['branch3x3_1', ['branch3x3_2a', 'branch3x3_2b']],
      ['branch3x3dbl_1', 'branch3x3dbl_2', ['branch3x3dbl_3a', 'branch3x3dbl_3b']],
      [averaged, 'branch_pool'],
    ],
  );

export const inceptionV3: Architecture<'inception_v3', InceptionV3Options> = defineArchitecture({
  family: 'inception_v3',
  paper: 'Szegedy et al. 2015, arXiv:1512.00567',
  variants: { inception_v3: { params: 27_161_264, macs: 5_713_216_096 } },
  input: { channels: 3, size: 299, minSize: 75 },
  head: 'fc',
  stem: 'Conv2d_1a_3x3.conv',
  options: { auxiliary: flag, transformInput: flag },
  build(_, { numClasses, inChannels, generator, auxiliary = true, transformInput = false }) {
    const conv = unitsOf({ generator });
    const model = new SequentialWithAuxiliary(
      {
        ...(transformInput && { transform: new TransformInput() }),
        Conv2d_1a_3x3: conv(inChannels, 32, 3, halving),
        Conv2d_2a_3x3: conv(32, 32, 3, valid),
        Conv2d_2b_3x3: conv(32, 64, 3),
        maxpool1: new MaxPool2d({ kernelSize: 3, stride: 2 }),
        Conv2d_3b_1x1: conv(64, 80, 1),
        Conv2d_4a_3x3: conv(80, 192, 3, valid),
        maxpool2: new MaxPool2d({ kernelSize: 3, stride: 2 }),
        Mixed_5b: blockA(conv, 192, 32),
        Mixed_5c: blockA(conv, 256, 64),
        Mixed_5d: blockA(conv, 288, 64),
        Mixed_6a: blockB(conv, 288),
        Mixed_6b: blockC(conv, 768, 128),
        Mixed_6c: blockC(conv, 768, 160),
        Mixed_6d: blockC(conv, 768, 160),
        Mixed_6e: blockC(conv, 768, 192),
        ...(auxiliary && {
          AuxLogits: new Sequential({
            pool: new AvgPool2d({ kernelSize: 5, stride: 3 }),
            conv0: conv(768, 128, 1),
            conv1: conv(128, 768, 5, valid),
            average: new AdaptiveAvgPool2d({ outputSize: 1 }),
            flatten: new Flatten(),
            fc: new Linear({ inFeatures: 768, outFeatures: numClasses, generator }),
          }),
        }),
        Mixed_7a: blockD(conv, 768),
        Mixed_7b: blockE(conv, 1280),
        Mixed_7c: blockE(conv, 2048),
        avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
        dropout: new Dropout({ p: 0.5 }),
        flatten: new Flatten(),
        fc: new Linear({ inFeatures: 2048, outFeatures: numClasses, generator }),
      },
      { after: auxiliary ? { AuxLogits: 'Mixed_6e' } : {}, share: 0.4 },
    );
    initializeTruncated(model, (name) => (name === 'AuxLogits.fc.weight' ? 0.001 : 0.1), generator);
    return model;
  },
});
