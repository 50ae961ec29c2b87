// What the ResNets for ImageNet and those for CIFAR share: the block of two 3x3 convolutions, and how weights start.

import { add, scope, type Generator, type Tensor } from '@convoke/core';
import { BatchNorm2d, Conv2d, Module, ReLU, initialize, kaimingNormal } from '@convoke/nn';

/** What is added to a block's output: its input, what a module makes of that, or (in plain networks) nothing. */
export type Shortcut = 'identity' | Module | 'none';

/** `y`, computed from `x`, with the shortcut's part. */
export function withShortcut(y: Tensor, x: Tensor, shortcut: Shortcut): Tensor {
  if (shortcut === 'none') return y;
  return add(y, shortcut === 'identity' ? x : shortcut.forward(x));
}

export interface BlockConfig {
  readonly inChannels: number;
  /** Of its convolutions; a bottleneck's last has four times as many. */
  readonly channels: number;
  readonly stride: number;
  readonly shortcut: Shortcut;
  readonly generator: Generator | undefined;
}

/** Two 3x3 convolutions and a shortcut (He et al. 2015, arXiv:1512.03385, figure 5, left). */
export class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu: ReLU;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Shortcut;

  constructor({ inChannels, channels, stride, shortcut, generator }: BlockConfig) {
    super();
    const conv = { outChannels: channels, kernelSize: 3, padding: 1, bias: false, generator };
    this.conv1 = new Conv2d({ ...conv, inChannels, stride });
    this.bn1 = new BatchNorm2d({ channels });
    this.relu = new ReLU();
    this.conv2 = new Conv2d({ ...conv, inChannels: channels });
    this.bn2 = new BatchNorm2d({ channels });
    this.downsample = shortcut;
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const within = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
      const y = this.bn2.forward(this.conv2.forward(within));
      return this.relu.forward(withShortcut(y, x, this.downsample));
    });
  }
}

/** Convolutions normal with variance 2 / fanOut; the rest as nn makes it. */
export function initializeResidual(model: Module, generator: Generator | undefined): void {
  initialize(model, ({ shape, module }) =>
    module instanceof Conv2d ? kaimingNormal(shape, { mode: 'fanOut', generator }) : null,
  );
}
