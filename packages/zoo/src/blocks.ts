// Pieces that several families are made of.

import type { Generator, PairOption } from '@convoke/core';
import { BatchNorm2d, Conv2d, Sequential, type Module } from '@convoke/nn';

export interface ConvNormConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: PairOption;
  readonly stride?: PairOption | undefined;
  /** Default: (kernelSize - 1) / 2 on each side. */
  readonly padding?: PairOption | undefined;
  readonly groups?: number | undefined;
  readonly epsilon?: number | undefined;
  readonly momentum?: number | undefined;
  /** Default: none. */
  readonly activation?: Module | undefined;
  readonly generator?: Generator | undefined;
}

/** Convolution without bias, batch normalisation and an activation, named '0', '1' and '2' as torchvision does. */
export function convNorm(config: ConvNormConfig): Sequential {
  const { epsilon, momentum, activation, kernelSize, outChannels, ...rest } = config;
  const [height, width] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
  const padding = config.padding ?? [(height - 1) / 2, (width - 1) / 2];
  return new Sequential([
    new Conv2d({ ...rest, kernelSize, outChannels, padding, bias: false }),
    new BatchNorm2d({ channels: outChannels, epsilon, momentum }),
    ...(activation ? [activation] : []),
  ]);
}

/** The multiple of `divisor` that is nearest to `channels`, but not less than nine tenths of it (MobileNet's rule). */
export function makeDivisible(channels: number, divisor = 8): number {
  const rounded = Math.max(divisor, Math.floor((channels + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}
