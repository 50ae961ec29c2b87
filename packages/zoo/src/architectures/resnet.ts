/**
 * ResNet: blocks that add what they compute to what they get. He et al. 2015, arXiv:1512.03385, table 1; without shortcuts
 * the plain networks of section 4.1. ResNeXt groups the 3x3 convolutions (Xie et al. 2016, arXiv:1611.05431, table 1), wide
 * ResNet gives them twice the channels (Zagoruyko & Komodakis 2016, arXiv:1605.07146).
 */

import { scope, type Generator, type Tensor } from '@convoke/core';
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
import {
  BasicBlock,
  initializeResidual,
  withShortcut,
  type BlockConfig,
  type Shortcut,
} from '../residual-block.ts';
import { oneOf } from '../options.ts';

type Name =
  | 'resnet18'
  | 'resnet34'
  | 'resnet50'
  | 'resnet101'
  | 'resnet152'
  | 'plain18'
  | 'plain34'
  | 'resnext50_32x4d'
  | 'resnext101_32x8d'
  | 'wide_resnet50_2'
  | 'wide_resnet101_2';

interface Table {
  readonly block: 'basic' | 'plain' | 'bottleneck';
  /** Blocks of 64, 128, 256 and 512 channels. */
  readonly blocks: readonly [number, number, number, number];
  /** Of the 3x3 convolutions. Default 1. */
  readonly groups?: number;
  /** Channels a group where the block has 64. Default 64. */
  readonly groupWidth?: number;
}

const tables: Readonly<Record<Name, Table>> = {
  resnet18: { block: 'basic', blocks: [2, 2, 2, 2] },
  resnet34: { block: 'basic', blocks: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', blocks: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', blocks: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', blocks: [3, 8, 36, 3] },
  plain18: { block: 'plain', blocks: [2, 2, 2, 2] },
  plain34: { block: 'plain', blocks: [3, 4, 6, 3] },
  resnext50_32x4d: { block: 'bottleneck', blocks: [3, 4, 6, 3], groups: 32, groupWidth: 4 },
  resnext101_32x8d: { block: 'bottleneck', blocks: [3, 4, 23, 3], groups: 32, groupWidth: 8 },
  wide_resnet50_2: { block: 'bottleneck', blocks: [3, 4, 6, 3], groupWidth: 128 },
  wide_resnet101_2: { block: 'bottleneck', blocks: [3, 4, 23, 3], groupWidth: 128 },
};

export interface ResNetOptions {
  /**
   * Which convolution of a bottleneck halves height and width: the paper's first 1x1, or the 3x3, which torchvision's
   * weights are made for. Default '3x3'.
   */
  readonly stridedConv: '3x3' | '1x1';
}

interface BottleneckConfig extends BlockConfig {
  readonly groups: number;
  readonly groupWidth: number;
  readonly stridedConv: ResNetOptions['stridedConv'];
}

/** 1x1 to fewer channels, 3x3, 1x1 to four times as many (figure 5, right). */
class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly relu: ReLU;
  readonly downsample: Shortcut;

  constructor(config: BottleneckConfig) {
    super();
    const { inChannels, channels, stride, shortcut, groups, groupWidth, stridedConv } = config;
    const width = (channels / 64) * groupWidth * groups;
    const strides = stridedConv === '1x1' ? [stride, 1] : [1, stride];
    const conv = { bias: false, generator: config.generator };
    this.conv1 = new Conv2d({
      ...conv,
      inChannels,
      outChannels: width,
      kernelSize: 1,
      stride: strides[0],
    });
    this.bn1 = new BatchNorm2d({ channels: width });
    this.conv2 = new Conv2d({
      ...conv,
      inChannels: width,
      outChannels: width,
      kernelSize: 3,
      padding: 1,
      stride: strides[1],
      groups,
    });
    this.bn2 = new BatchNorm2d({ channels: width });
    this.conv3 = new Conv2d({
      ...conv,
      inChannels: width,
      outChannels: 4 * channels,
      kernelSize: 1,
    });
    this.bn3 = new BatchNorm2d({ channels: 4 * channels });
    this.relu = new ReLU();
    this.downsample = shortcut;
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const narrow = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
      const within = this.relu.forward(this.bn2.forward(this.conv2.forward(narrow)));
      const y = this.bn3.forward(this.conv3.forward(within));
      return this.relu.forward(withShortcut(y, x, this.downsample));
    });
  }
}

/** Four layers of blocks; the first block of each but the first halves height and width. */
function layersOf(
  { block, blocks, groups = 1, groupWidth = 64 }: Table,
  stridedConv: ResNetOptions['stridedConv'],
  generator: Generator | undefined,
): Sequential[] {
  const expansion = block === 'bottleneck' ? 4 : 1;
  let inChannels = 64;
  return blocks.map((count, i) => {
    const channels = 64 * 2 ** i;
    const outChannels = expansion * channels;
    const modules = Array.from({ length: count }, (_, k) => {
      const stride = i > 0 && k === 0 ? 2 : 1;
      const changes = stride > 1 || inChannels !== outChannels;
      const projection = (): Module =>
        convNorm({ inChannels, outChannels, kernelSize: 1, stride, generator });
      const shortcut = block === 'plain' ? 'none' : changes ? projection() : 'identity';
      const config = { inChannels, channels, stride, shortcut, generator } as const;
      inChannels = outChannels;
      return block === 'bottleneck'
        ? new Bottleneck({ ...config, groups, groupWidth, stridedConv })
        : new BasicBlock(config);
    });
    return new Sequential(modules);
  });
}

export const resnet: Architecture<Name, ResNetOptions> = defineArchitecture({
  family: 'resnet',
  paper: 'He et al. 2015, arXiv:1512.03385',
  variants: {
    resnet18: { params: 11_689_512, macs: 1_814_073_344 },
    resnet34: { params: 21_797_672, macs: 3_663_761_408 },
    resnet50: { params: 25_557_032, macs: 4_089_184_256 },
    resnet101: { params: 44_549_160, macs: 7_801_405_440 },
    resnet152: { params: 60_192_808, macs: 11_513_626_624 },
    plain18: { params: 11_515_688, macs: 1_794_805_760 },
    plain34: { params: 21_623_848, macs: 3_644_493_824 },
    resnext50_32x4d: { params: 25_028_904, macs: 4_230_479_872 },
    resnext101_32x8d: { params: 88_791_336, macs: 16_414_015_488 },
    wide_resnet50_2: { params: 68_883_240, macs: 11_398_021_120 },
    wide_resnet101_2: { params: 126_886_696, macs: 22_753_050_624 },
  },
  input: { channels: 3, size: 224, minSize: 1 },
  head: 'fc',
  stem: 'conv1',
  options: { stridedConv: oneOf('3x3', '1x1') },
  build(variant, { numClasses, inChannels, generator, stridedConv = '3x3' }) {
    const table = tables[variant];
    const [layer1, layer2, layer3, layer4] = layersOf(table, stridedConv, generator) as [
      Sequential,
      Sequential,
      Sequential,
      Sequential,
    ];
    const model = new Sequential({
      conv1: new Conv2d({
        inChannels,
        outChannels: 64,
        kernelSize: 7,
        stride: 2,
        padding: 3,
        bias: false,
        generator,
      }),
      bn1: new BatchNorm2d({ channels: 64 }),
      relu: new ReLU(),
      maxpool: new MaxPool2d({ kernelSize: 3, stride: 2, padding: 1 }),
      layer1,
      layer2,
      layer3,
      layer4,
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      fc: new Linear({
        inFeatures: table.block === 'bottleneck' ? 2048 : 512,
        outFeatures: numClasses,
        generator,
      }),
    });
    initializeResidual(model, generator);
    return model;
  },
});
