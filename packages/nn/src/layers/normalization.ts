// Normalisations that look at one sample at a time.

import {
  groupNorm,
  layerNorm,
  localResponseNorm,
  ones,
  parameter,
  permute,
  scope,
  zeros,
  type LocalResponseNormOptions,
  type Shape,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';
import { expectCount, expectGroups, settings } from './config.ts';

export interface LayerNormConfig {
  /** The last axes of the input; a number for the last alone. With `channelsFirst` the number of channels. */
  readonly normalizedShape: number | Shape;
  /** Default 1e-5. */
  readonly epsilon?: number | undefined;
  /** Whether a factor and a term are learned. Default true. */
  readonly affine?: boolean | undefined;
  /** Whether there is a term. Default: as affine. */
  readonly bias?: boolean | undefined;
  /** Normalises each pixel of [N, C, H, W] over its channels, as ConvNeXt does. Default false. */
  readonly channelsFirst?: boolean | undefined;
}

/** Each sample normalised over its last axes (Ba et al. 2016, arXiv:1607.06450). */
export class LayerNorm extends Module {
  readonly weight: Slot | null;
  readonly bias: Slot | null;
  readonly config: LayerNormConfig;

  constructor(config: LayerNormConfig) {
    super();
    const { normalizedShape, affine = true, bias = affine } = config;
    const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
    for (const length of shape) expectCount('LayerNorm', 'normalizedShape', length);
    this.config = config;
    this.weight = affine ? parameter(ones(shape)) : null;
    this.bias = affine && bias ? parameter(zeros(shape)) : null;
  }

  override forward(x: Tensor): Tensor {
    const { normalizedShape, epsilon, channelsFirst = false } = this.config;
    const options = {
      normalizedShape,
      epsilon,
      weight: this.weight ?? undefined,
      bias: this.bias ?? undefined,
    };
    if (!channelsFirst) return layerNorm(x, options);
    return scope(() => permute(layerNorm(permute(x, [0, 2, 3, 1]), options), [0, 3, 1, 2]));
  }

  protected override describe(): string {
    const { normalizedShape, ...options } = this.config;
    return settings([`[${String(normalizedShape)}]`], options);
  }
}

export interface GroupNormConfig {
  readonly groups: number;
  readonly channels: number;
  /** Default 1e-5. */
  readonly epsilon?: number | undefined;
  /** Whether a factor and a term are learned for each channel. Default true. */
  readonly affine?: boolean | undefined;
}

/** Each group of channels of each sample normalised (Wu & He 2018, arXiv:1803.08494). */
export class GroupNorm extends Module {
  readonly weight: Slot | null;
  readonly bias: Slot | null;
  readonly config: GroupNormConfig;

  constructor(config: GroupNormConfig) {
    super();
    const { groups, channels, affine = true } = config;
    expectCount('GroupNorm', 'channels', channels);
    expectGroups('GroupNorm', groups, { channels });
    this.config = config;
    this.weight = affine ? parameter(ones([channels])) : null;
    this.bias = affine ? parameter(zeros([channels])) : null;
  }

  override forward(x: Tensor): Tensor {
    const { groups, epsilon } = this.config;
    return groupNorm(x, {
      groups,
      epsilon,
      weight: this.weight ?? undefined,
      bias: this.bias ?? undefined,
    });
  }

  protected override describe(): string {
    const { groups, channels, ...options } = this.config;
    return settings([groups, channels], options);
  }
}

/** Each pixel divided by the strength of its neighbouring channels (Krizhevsky et al. 2012, section 3.3). */
export class LocalResponseNorm extends Module {
  readonly config: LocalResponseNormOptions;

  /** As core's `localResponseNorm`: alpha is divided by size. */
  constructor(config: LocalResponseNormOptions) {
    super();
    expectCount('LocalResponseNorm', 'size', config.size);
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return localResponseNorm(x, this.config);
  }

  protected override describe(): string {
    const { size, ...options } = this.config;
    return settings([size], options);
  }
}
