/**
 * Inception-ResNet v2: Inception blocks whose outputs, scaled down, are added to their inputs. Szegedy et al. 2016,
 * arXiv:1602.07261, figures 16 to 20 and section 3.3; numbers of channels and scales as in TensorFlow's release, names as in
 * timm.
 */

import { add, mul, scope, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  Branches,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { halving, unitsOf, valid, type MakeUnit } from '../inception-blocks.ts';
import { Mixed } from '../mixed.ts';
import { between } from '../options.ts';

const largest = (): Module => new MaxPool2d({ kernelSize: 3, stride: 2 });
const row = (length: number): readonly [number, number] => [1, length];
const column = (length: number): readonly [number, number] => [length, 1];
const times = (count: number, make: () => Module): Module =>
  new Sequential(Array.from({ length: count }, make));

interface ResidualConfig {
  /** Branches by name, and the 1x1 convolution `conv2d` that brings what they give to the input's channels. */
  readonly modules: Readonly<Record<string, Module>>;
  readonly scale: number;
  /** Default true. */
  readonly activated?: boolean | undefined;
}

/** scale * conv2d(branches(x)) + x. */
class ScaledResidual extends Mixed {
  readonly scale: number;

  constructor({ modules, scale, activated = true }: ResidualConfig) {
    const branches = Object.keys(modules).filter((name) => name !== 'conv2d');
    super(
      { ...modules, ...(activated && { relu: new ReLU() }) },
      branches.map((name) => [name]),
      [['conv2d']],
    );
    this.scale = scale;
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const sum = add(mul(super.forward(x), this.scale), x);
      return this.namedChildren().get('relu')?.forward(sum) ?? sum;
    });
  }
}

/** 35x35, where TensorFlow's release begins with a block as in Inception v3. */
const mixed5b = (conv: MakeUnit): Module =>
  new Branches({
    branch0: conv(192, 96, 1),
    branch1: new Sequential([conv(192, 48, 1), conv(48, 64, 5)]),
    branch2: new Sequential([conv(192, 64, 1), conv(64, 96, 3), conv(96, 96, 3)]),
    branch3: new Sequential([
      new AvgPool2d({ kernelSize: 3, stride: 1, padding: 1, countIncludePad: false }),
      conv(192, 64, 1),
    ]),
  });

/** Figure 16: 35x35. */
const block35 = (conv: MakeUnit, project: Project): Module =>
  new ScaledResidual({
    modules: {
      branch0: conv(320, 32, 1),
      branch1: new Sequential([conv(320, 32, 1), conv(32, 32, 3)]),
      branch2: new Sequential([conv(320, 32, 1), conv(32, 48, 3), conv(48, 64, 3)]),
      conv2d: project(128, 320),
    },
    scale: 0.17,
  });

/** Figure 7: 35x35 to 17x17. */
const mixed6a = (conv: MakeUnit): Module =>
  new Branches({
    branch0: conv(320, 384, 3, halving),
    branch1: new Sequential([conv(320, 256, 1), conv(256, 256, 3), conv(256, 384, 3, halving)]),
    branch2: largest(),
  });

/** Figure 17: 17x17. */
const block17 = (conv: MakeUnit, project: Project): Module =>
  new ScaledResidual({
    modules: {
      branch0: conv(1088, 192, 1),
      branch1: new Sequential([
        conv(1088, 128, 1),
        conv(128, 160, row(7)),
        conv(160, 192, column(7)),
      ]),
      conv2d: project(384, 1088),
    },
    scale: 0.1,
  });

/** Figure 18: 17x17 to 8x8. */
const mixed7a = (conv: MakeUnit): Module =>
  new Branches({
    branch0: new Sequential([conv(1088, 256, 1), conv(256, 384, 3, halving)]),
    branch1: new Sequential([conv(1088, 256, 1), conv(256, 288, 3, halving)]),
    branch2: new Sequential([conv(1088, 256, 1), conv(256, 288, 3), conv(288, 320, 3, halving)]),
    branch3: largest(),
  });

/** Figure 19: 8x8. The last one is neither scaled nor activated. */
const block8 = (conv: MakeUnit, project: Project, last: boolean): Module =>
  new ScaledResidual({
    modules: {
      branch0: conv(2080, 192, 1),
      branch1: new Sequential([
        conv(2080, 192, 1),
        conv(192, 224, row(3)),
        conv(224, 256, column(3)),
      ]),
      conv2d: project(448, 2080),
    },
    scale: last ? 1 : 0.2,
    activated: !last,
  });

type Project = (inChannels: number, outChannels: number) => Conv2d;

export interface InceptionResNetV2Options {
  /** Before the classifier. Default 0, as in timm; the paper has 0.2. */
  readonly dropout: number;
}

export const inceptionResNetV2: Architecture<'inception_resnet_v2', InceptionResNetV2Options> =
  defineArchitecture({
    family: 'inception_resnet_v2',
    paper: 'Szegedy et al. 2016, arXiv:1602.07261',
    variants: { inception_resnet_v2: { params: 55_843_464, macs: 13_155_794_016 } },
    input: { channels: 3, size: 299, minSize: 75 },
    head: 'classif',
    stem: 'conv2d_1a.conv',
    options: { dropout: between(0, 1) },
    build(_, { numClasses, inChannels, generator, dropout = 0 }) {
      const conv = unitsOf({ generator });
      const project: Project = (inputs, outputs) =>
        new Conv2d({ inChannels: inputs, outChannels: outputs, kernelSize: 1, generator });
      return new Sequential({
        conv2d_1a: conv(inChannels, 32, 3, halving),
        conv2d_2a: conv(32, 32, 3, valid),
        conv2d_2b: conv(32, 64, 3),
        maxpool_3a: largest(),
        conv2d_3b: conv(64, 80, 1),
        conv2d_4a: conv(80, 192, 3, valid),
        maxpool_5a: largest(),
        mixed_5b: mixed5b(conv),
        repeat: times(10, () => block35(conv, project)),
        mixed_6a: mixed6a(conv),
        repeat_1: times(20, () => block17(conv, project)),
        mixed_7a: mixed7a(conv),
        repeat_2: times(9, () => block8(conv, project, false)),
        block8: block8(conv, project, true),
        conv2d_7b: conv(2080, 1536, 1),
        global_pool: new Sequential({
          pool: new AdaptiveAvgPool2d({ outputSize: 1 }),
          flatten: new Flatten(),
        }),
        head_drop: new Dropout({ p: dropout }),
        classif: new Linear({ inFeatures: 1536, outFeatures: numClasses, generator }),
      });
    },
  });
