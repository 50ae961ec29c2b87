/**
 * ShuffleNetV2: half of the channels pass a block by, and channels are shuffled after it. Ma et al. 2018, arXiv:1807.11164,
 * table 5.
 */

import { channelShuffle, concat, scope, split, type Generator, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { convNorm } from '../blocks.ts';

/** Channels of the three stages and of the last convolution. */
const widths = {
  shufflenet_v2_x0_5: [48, 96, 192, 1024],
  shufflenet_v2_x1_0: [116, 232, 464, 1024],
  shufflenet_v2_x1_5: [176, 352, 704, 1024],
  shufflenet_v2_x2_0: [244, 488, 976, 2048],
} as const;
/** Blocks of each stage; the first of them halves height and width. */
const depths = [4, 8, 4];

class InvertedResidual extends Module {
  /** Of a block that changes the size; others pass half of the channels on as they are. */
  readonly branch1: Sequential | null;
  readonly branch2: Sequential;

  constructor(inChannels: number, outChannels: number, generator: Generator | undefined) {
    super();
    const halves = inChannels !== outChannels;
    const half = outChannels / 2;
    const pointwise = (from: number): Module[] => [
      new Conv2d({ inChannels: from, outChannels: half, kernelSize: 1, bias: false, generator }),
      new BatchNorm2d({ channels: half }),
      new ReLU(),
    ];
    const depthwise = (channels: number): Module[] => [
      new Conv2d({
        inChannels: channels,
        outChannels: channels,
        kernelSize: 3,
        stride: halves ? 2 : 1,
        padding: 1,
        groups: channels,
        bias: false,
        generator,
      }),
      new BatchNorm2d({ channels }),
    ];
    this.branch1 = halves
      ? new Sequential([...depthwise(inChannels), ...pointwise(inChannels)])
      : null;
    this.branch2 = new Sequential([
      ...pointwise(halves ? inChannels : half),
      ...depthwise(half),
      ...pointwise(half),
    ]);
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const { branch1, branch2 } = this;
      const [first, second] = branch1
        ? [branch1.forward(x), x]
        : (split(x, { sections: 2, axis: 1 }) as [Tensor, Tensor]);
      return channelShuffle(concat([first, branch2.forward(second)], { axis: 1 }), { groups: 2 });
    });
  }
}

export const shufflenet: Architecture<keyof typeof widths> = defineArchitecture({
  family: 'shufflenet_v2',
  paper: 'Ma et al. 2018, arXiv:1807.11164',
  variants: {
    shufflenet_v2_x0_5: { params: 1_366_792, macs: 40_476_448 },
    shufflenet_v2_x1_0: { params: 2_278_604, macs: 144_907_992 },
    shufflenet_v2_x1_5: { params: 3_503_624, macs: 295_759_392 },
    shufflenet_v2_x2_0: { params: 7_393_996, macs: 583_253_464 },
  },
  input: { channels: 3, size: 224, minSize: 1 },
  head: 'fc',
  stem: 'conv1.0',
  build(variant, { numClasses, inChannels, generator }) {
    const unit = { activation: new ReLU(), generator };
    let channels = 24;
    const modules: Record<string, Module> = {
      conv1: convNorm({ ...unit, inChannels, outChannels: channels, kernelSize: 3, stride: 2 }),
      maxpool: new MaxPool2d({ kernelSize: 3, stride: 2, padding: 1 }),
    };
    for (const [stage, count] of depths.entries()) {
      const outChannels = widths[variant][stage]!;
      const blocks = Array.from({ length: count }, (_, i) => {
        return new InvertedResidual(i === 0 ? channels : outChannels, outChannels, generator);
      });
      modules[`stage${stage + 2}`] = new Sequential(blocks);
      channels = outChannels;
    }
    const last = widths[variant][3];
    return new Sequential({
      ...modules,
      conv5: convNorm({
        ...unit,
        inChannels: channels,
        outChannels: last,
        kernelSize: 1,
        activation: new ReLU(),
      }),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      fc: new Linear({ inFeatures: last, outFeatures: numClasses, generator }),
    });
  },
});
