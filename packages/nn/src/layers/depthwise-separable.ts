// A convolution in two steps: each channel with filters of its own, then across channels at each pixel.

import {
  scope,
  type Conv2dOptions,
  type Generator,
  type PairOption,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';
import { Conv2d } from './conv.ts';

export interface DepthwiseSeparableConfig extends Omit<
  Conv2dOptions,
  'bias' | 'groups' | 'activation'
> {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: PairOption;
  /** Filters a channel in the first step. Default 1. */
  readonly multiplier?: number | undefined;
  /** Of the second step; one in the first would add nothing. Default true. */
  readonly bias?: boolean | undefined;
  readonly generator?: Generator | undefined;
}

/**
 * Depthwise, then pointwise convolution (Howard et al. 2017, arXiv:1704.04861, section 3.1). Stride, padding and dilation are
 * the first step's. Nothing stands between the two: blocks with batch normalisation there are put together from `Conv2d`.
 */
export class DepthwiseSeparable extends Module {
  readonly depthwise: Conv2d;
  readonly pointwise: Conv2d;

  constructor(config: DepthwiseSeparableConfig) {
    super();
    const { inChannels, outChannels, multiplier = 1, bias, generator, ...spatial } = config;
    const between = inChannels * multiplier;
    this.depthwise = new Conv2d({
      ...spatial,
      inChannels,
      outChannels: between,
      groups: inChannels,
      bias: false,
      generator,
    });
    this.pointwise = new Conv2d({
      inChannels: between,
      outChannels,
      kernelSize: 1,
      bias,
      generator,
    });
  }

  override forward(x: Tensor): Tensor {
    return scope(() => this.pointwise.forward(this.depthwise.forward(x)));
  }
}
