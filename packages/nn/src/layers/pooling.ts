// Pools and resizing as layers; options and defaults are those of core's functions of the same name.

import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  avgPool2d,
  interpolate,
  maxPool2d,
  type AdaptivePool2dOptions,
  type AvgPool2dOptions,
  type InterpolateOptions,
  type MaxPool2dOptions,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';
import { settings } from './config.ts';

/** The largest element of each window. */
export class MaxPool2d extends Module {
  readonly config: MaxPool2dOptions;

  constructor(config: MaxPool2dOptions) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

/** The mean of each window. */
export class AvgPool2d extends Module {
  readonly config: AvgPool2dOptions;

  constructor(config: AvgPool2dOptions) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

/** The means of outputSize cells; outputSize 1 is global average pooling to [N, C, 1, 1]. */
export class AdaptiveAvgPool2d extends Module {
  readonly config: AdaptivePool2dOptions;

  constructor(config: AdaptivePool2dOptions) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

/** The largest elements of outputSize cells. */
export class AdaptiveMaxPool2d extends Module {
  readonly config: AdaptivePool2dOptions;

  constructor(config: AdaptivePool2dOptions) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

/** Another height and width by core's `interpolate`: nearest neighbours unless `mode` says otherwise. */
export class Upsample extends Module {
  readonly config: InterpolateOptions;

  constructor(config: InterpolateOptions) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return interpolate(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}
