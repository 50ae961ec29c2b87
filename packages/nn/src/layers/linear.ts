// Fully connected layers, and what leads into them.

import {
  clone,
  flatten,
  linear,
  parameter,
  type Generator,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { fanInUniform } from '../init.ts';
import { Module } from '../module.ts';
import { expectCount, settings } from './config.ts';

export interface LinearConfig {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Default true. */
  readonly bias?: boolean | undefined;
  /** Of the initial values. Default: `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

/** [..., inFeatures] times the transpose of weight [outFeatures, inFeatures], plus bias. */
export class Linear extends Module {
  readonly weight: Slot;
  readonly bias: Slot | null;
  readonly config: LinearConfig;

  constructor(config: LinearConfig) {
    super();
    const { inFeatures, outFeatures, bias = true, generator } = config;
    expectCount('Linear', 'inFeatures', inFeatures);
    expectCount('Linear', 'outFeatures', outFeatures);
    this.config = config;
    this.weight = parameter(fanInUniform([outFeatures, inFeatures], inFeatures, generator));
    this.bias = bias ? parameter(fanInUniform([outFeatures], inFeatures, generator)) : null;
  }

  override forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  protected override describe(): string {
    const { inFeatures, outFeatures, bias } = this.config;
    return settings([inFeatures, outFeatures], bias === false ? { bias } : {});
  }
}

export interface FlattenConfig {
  /** Default 1: the batch stays. */
  readonly startAxis?: number | undefined;
  /** Default -1. */
  readonly endAxis?: number | undefined;
}

/** Axes startAxis to endAxis as one: [N, C, H, W] to [N, C * H * W]. */
export class Flatten extends Module {
  readonly config: FlattenConfig;

  constructor(config: FlattenConfig = {}) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return flatten(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

/** Gives what it gets. */
export class Identity extends Module {
  override forward(x: Tensor): Tensor {
    return clone(x);
  }
}
