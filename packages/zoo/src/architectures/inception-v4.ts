/**
 * Inception v4: a uniform and deeper Inception, without residuals. Szegedy et al. 2016, arXiv:1602.07261, figures 3 to 9;
 * names as in timm.
 */

import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  Branches,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  Sequential,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { halving, unitsOf, valid, type MakeUnit } from '../inception-blocks.ts';
import { Mixed } from '../mixed.ts';
import { between } from '../options.ts';

const largest = (): Module => new MaxPool2d({ kernelSize: 3, stride: 2 });
const averaged = (): Module =>
  new AvgPool2d({ kernelSize: 3, stride: 1, padding: 1, countIncludePad: false });
const row = (length: number): readonly [number, number] => [1, length];
const column = (length: number): readonly [number, number] => [length, 1];
const times = (count: number, make: () => Module): Module[] => Array.from({ length: count }, make);

/** Figure 3: 299x299 to 35x35. */
const stem = (conv: MakeUnit, inChannels: number): Module[] => [
  conv(inChannels, 32, 3, halving),
  conv(32, 32, 3, valid),
  conv(32, 64, 3),
  new Branches({ maxpool: largest(), conv: conv(64, 96, 3, halving) }),
  new Branches({
    branch0: new Sequential([conv(160, 64, 1), conv(64, 96, 3, valid)]),
    branch1: new Sequential([
      conv(160, 64, 1),
      conv(64, 64, row(7)),
      conv(64, 64, column(7)),
      conv(64, 96, 3, valid),
    ]),
  }),
  new Branches({ conv: conv(192, 192, 3, halving), maxpool: largest() }),
];

/** Figure 4: 35x35. */
const blockA = (conv: MakeUnit): Module =>
  new Branches({
    branch0: conv(384, 96, 1),
    branch1: new Sequential([conv(384, 64, 1), conv(64, 96, 3)]),
    branch2: new Sequential([conv(384, 64, 1), conv(64, 96, 3), conv(96, 96, 3)]),
    branch3: new Sequential([averaged(), conv(384, 96, 1)]),
  });

/** Figure 7: 35x35 to 17x17. */
const reductionA = (conv: MakeUnit): Module =>
  new Branches({
    branch0: conv(384, 384, 3, halving),
    branch1: new Sequential([conv(384, 192, 1), conv(192, 224, 3), conv(224, 256, 3, halving)]),
    branch2: largest(),
  });

/** Figure 5: 17x17. */
const blockB = (conv: MakeUnit): Module =>
  new Branches({
    branch0: conv(1024, 384, 1),
    branch1: new Sequential([
      conv(1024, 192, 1),
      conv(192, 224, row(7)),
      conv(224, 256, column(7)),
    ]),
    branch2: new Sequential([
      conv(1024, 192, 1),
      conv(192, 192, column(7)),
      conv(192, 224, row(7)),
      conv(224, 224, column(7)),
      conv(224, 256, row(7)),
    ]),
    branch3: new Sequential([averaged(), conv(1024, 128, 1)]),
  });

/** Figure 8: 17x17 to 8x8. */
const reductionB = (conv: MakeUnit): Module =>
  new Branches({
    branch0: new Sequential([conv(1024, 192, 1), conv(192, 192, 3, halving)]),
    branch1: new Sequential([
      conv(1024, 256, 1),
      conv(256, 256, row(7)),
      conv(256, 320, column(7)),
      conv(320, 320, 3, halving),
    ]),
    branch2: largest(),
  });

/** Figure 6: 8x8. */
const blockC = (conv: MakeUnit): Module =>
  new Mixed(
    {
      branch0: conv(1536, 256, 1),
      branch1_0: conv(1536, 384, 1),
      branch1_1a: conv(384, 256, row(3)),
      branch1_1b: conv(384, 256, column(3)),
      branch2_0: conv(1536, 384, 1),
      branch2_1: conv(384, 448, column(3)),
      branch2_2: conv(448, 512, row(3)),
      branch2_3a: conv(512, 256, row(3)),
      branch2_3b: conv(512, 256, column(3)),
      branch3: new Sequential([averaged(), conv(1536, 256, 1)]),
    },
    [
      ['branch0'],
      ['branch1_0', ['branch1_1a', 'branch1_1b']],
      ['branch2_0', 'branch2_1', 'branch2_2', ['branch2_3a', 'branch2_3b']],
      ['branch3'],
    ],
  );

export interface InceptionV4Options {
  /** Before the classifier. Default 0, as in timm; the paper has 0.2. */
  readonly dropout: number;
}

export const inceptionV4: Architecture<'inception_v4', InceptionV4Options> = defineArchitecture({
  family: 'inception_v4',
  paper: 'Szegedy et al. 2016, arXiv:1602.07261',
  variants: { inception_v4: { params: 42_679_816, macs: 12_253_974_624 } },
  input: { channels: 3, size: 299, minSize: 75 },
  head: 'last_linear',
  stem: 'features.0.conv',
  options: { dropout: between(0, 1) },
  build(_, { numClasses, inChannels, generator, dropout = 0 }) {
    const conv = unitsOf({ generator });
    return new Sequential({
      features: new Sequential([
        ...stem(conv, inChannels),
        ...times(4, () => blockA(conv)),
        reductionA(conv),
        ...times(7, () => blockB(conv)),
        reductionB(conv),
        ...times(3, () => blockC(conv)),
      ]),
      global_pool: new Sequential({
        pool: new AdaptiveAvgPool2d({ outputSize: 1 }),
        flatten: new Flatten(),
      }),
      head_drop: new Dropout({ p: dropout }),
      last_linear: new Linear({ inFeatures: 1536, outFeatures: numClasses, generator }),
    });
  },
});
