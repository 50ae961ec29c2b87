// Convolution and its transpose as layers. Weights start as PyTorch's do.

import {
  conv2d,
  convTranspose2d,
  parameter,
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  type Generator,
  type PairOption,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { fanInUniform, fansOf } from '../init.ts';
import { Module } from '../module.ts';
import { expectCount, expectGroups, expectPair, settings } from './config.ts';

interface ChannelConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** One number, or [height, width]. */
  readonly kernelSize: PairOption;
  /** Whether a bias is added. Default true. */
  readonly bias?: boolean | undefined;
  /** Of the initial values. Default: `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

/** Stride, padding, padding mode, dilation, groups and activation are those of core's `conv2d`, with its defaults. */
export interface Conv2dConfig extends Omit<Conv2dOptions, 'bias'>, ChannelConfig {}

/** Cross-correlation of [N, inChannels, H, W] with filters [outChannels, inChannels / groups, kH, kW]. */
export class Conv2d extends Module {
  readonly weight: Slot;
  readonly bias: Slot | null;
  readonly config: Conv2dConfig;

  /** Throws a ShapeError where channels, groups or kernel make no sense. */
  constructor(config: Conv2dConfig) {
    super();
    const { inChannels, outChannels, kernelSize, groups = 1, bias = true, generator } = config;
    expectCount('Conv2d', 'inChannels', inChannels);
    expectCount('Conv2d', 'outChannels', outChannels);
    expectGroups('Conv2d', groups, { inChannels, outChannels });
    const shape = [
      outChannels,
      inChannels / groups,
      ...expectPair('Conv2d', 'kernelSize', kernelSize),
    ];
    const { fanIn } = fansOf(shape);
    this.config = config;
    this.weight = parameter(fanInUniform(shape, fanIn, generator));
    this.bias = bias ? parameter(fanInUniform([outChannels], fanIn, generator)) : null;
  }

  override forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, { ...this.config, bias: this.bias ?? undefined });
  }

  protected override describe(): string {
    const { inChannels, outChannels, bias, generator: _, ...options } = this.config;
    return settings([inChannels, outChannels], { ...options, ...(bias === false && { bias }) });
  }
}

/** Stride, padding, outputPadding, dilation and groups are those of core's `convTranspose2d`, with its defaults. */
export interface ConvTranspose2dConfig
  extends Omit<ConvTranspose2dOptions, 'bias'>, ChannelConfig {}

/** Transposed convolution of [N, inChannels, H, W] with filters [inChannels, outChannels / groups, kH, kW]. */
export class ConvTranspose2d extends Module {
  readonly weight: Slot;
  readonly bias: Slot | null;
  readonly config: ConvTranspose2dConfig;

  /** Throws a ShapeError where channels, groups or kernel make no sense. */
  constructor(config: ConvTranspose2dConfig) {
    super();
    const { inChannels, outChannels, kernelSize, groups = 1, bias = true, generator } = config;
    expectCount('ConvTranspose2d', 'inChannels', inChannels);
    expectCount('ConvTranspose2d', 'outChannels', outChannels);
    expectGroups('ConvTranspose2d', groups, { inChannels, outChannels });
    const shape = [
      inChannels,
      outChannels / groups,
      ...expectPair('ConvTranspose2d', 'kernelSize', kernelSize),
    ];
    // PyTorch takes axis 1 for the inputs here too.
    const { fanIn } = fansOf(shape);
    this.config = config;
    this.weight = parameter(fanInUniform(shape, fanIn, generator));
    this.bias = bias ? parameter(fanInUniform([outChannels], fanIn, generator)) : null;
  }

  override forward(x: Tensor): Tensor {
    return convTranspose2d(x, this.weight, { ...this.config, bias: this.bias ?? undefined });
  }

  protected override describe(): string {
    const { inChannels, outChannels, bias, generator: _, ...options } = this.config;
    return settings([inChannels, outChannels], { ...options, ...(bias === false && { bias }) });
  }
}
