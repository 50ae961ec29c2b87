/**
 * ResNets of 6n + 2 layers for CIFAR's 32x32 images, and the plain networks of the same layers. He et al. 2015,
 * arXiv:1512.03385, section 4.2.
 */

import { pad, scope, slice, type Generator, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  Module,
  ReLU,
  Sequential,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { convNorm } from '../blocks.ts';
import { BasicBlock, initializeResidual, type Shortcut } from '../residual-block.ts';
import { oneOf } from '../options.ts';

type Name = `resnet${20 | 32 | 44 | 56 | 110}_cifar` | `plain${20 | 32 | 44 | 56}_cifar`;

export interface ResNetCifarOptions {
  /**
   * Where a block doubles the channels: every other pixel and zeros for the new channels ('A', which has no parameters), a
   * 1x1 convolution with batch normalisation ('B'). 'A' puts the zeros after the input's channels; 'A-centred', on both
   * sides, as much-used code does whose weights are about. Plain networks have no shortcuts. Default 'A'.
   */
  readonly shortcut: 'A' | 'A-centred' | 'B';
}

/** Every `stride`-th pixel, with channels of zeros before and after. */
class ZeroPadded extends Module {
  readonly stride: number;
  readonly before: number;
  readonly after: number;

  constructor(stride: number, before: number, after: number) {
    super();
    this.stride = stride;
    this.before = before;
    this.after = after;
  }

  override forward(x: Tensor): Tensor {
    const { stride, before, after } = this;
    const channels = [before, after] as const;
    return scope(() =>
      pad(slice(x, { starts: [0, 0, 0, 0], steps: [1, 1, stride, stride] }), {
        padding: [channels, [0, 0], [0, 0]],
      }),
    );
  }

  protected override describe(): string {
    return `stride: ${this.stride}, before: ${this.before}, after: ${this.after}`;
  }
}

/** Of a block that halves height and width and doubles the channels. */
function shortcutOf(
  kind: ResNetCifarOptions['shortcut'],
  inChannels: number,
  generator: Generator | undefined,
): Module {
  if (kind === 'A') return new ZeroPadded(2, 0, inChannels);
  if (kind === 'A-centred') return new ZeroPadded(2, inChannels / 2, inChannels / 2);
  return convNorm({ inChannels, outChannels: 2 * inChannels, kernelSize: 1, stride: 2, generator });
}

export const resnetCifar: Architecture<Name, ResNetCifarOptions> = defineArchitecture({
  family: 'resnet_cifar',
  paper: 'He et al. 2015, arXiv:1512.03385',
  variants: {
    resnet20_cifar: { params: 269_722, macs: 40_551_040 },
    resnet32_cifar: { params: 464_154, macs: 68_862_592 },
    resnet44_cifar: { params: 658_586, macs: 97_174_144 },
    resnet56_cifar: { params: 853_018, macs: 125_485_696 },
    resnet110_cifar: { params: 1_727_962, macs: 252_887_680 },
    plain20_cifar: { params: 269_722, macs: 40_551_040 },
    plain32_cifar: { params: 464_154, macs: 68_862_592 },
    plain44_cifar: { params: 658_586, macs: 97_174_144 },
    plain56_cifar: { params: 853_018, macs: 125_485_696 },
  },
  input: { channels: 3, size: 32, minSize: 1 },
  numClasses: 10,
  head: 'fc',
  stem: 'conv1',
  options: { shortcut: oneOf('A', 'A-centred', 'B') },
  build(variant, { numClasses, inChannels, generator, shortcut: kind = 'A' }) {
    const [, family, depth] = /^(resnet|plain)(\d+)/.exec(variant)!;
    const count = (Number(depth) - 2) / 6;
    const layer = (from: number, channels: number): Module => {
      const halves = from !== channels;
      const blocks = Array.from({ length: count }, (_, i) => {
        const first = i === 0 && halves;
        const straight = (): Shortcut => (first ? shortcutOf(kind, from, generator) : 'identity');
        return new BasicBlock({
          inChannels: first ? from : channels,
          channels,
          stride: first ? 2 : 1,
          shortcut: family === 'plain' ? 'none' : straight(),
          generator,
        });
      });
      return new Sequential(blocks);
    };
    const model = new Sequential({
      conv1: new Conv2d({
        inChannels,
        outChannels: 16,
        kernelSize: 3,
        padding: 1,
        bias: false,
        generator,
      }),
      bn1: new BatchNorm2d({ channels: 16 }),
      relu: new ReLU(),
      layer1: layer(16, 16),
      layer2: layer(16, 32),
      layer3: layer(32, 64),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      fc: new Linear({ inFeatures: 64, outFeatures: numClasses, generator }),
    });
    initializeResidual(model, generator);
    return model;
  },
});
