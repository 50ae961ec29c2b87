// Activation functions as layers; what each computes stands at core's function of the same name.

import {
  elu,
  full,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  logSoftmax,
  mish,
  parameter,
  prelu,
  relu,
  relu6,
  scaledTanh,
  selu,
  sigmoid,
  silu,
  softmax,
  softplus,
  softsign,
  tanh,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';
import { expectCount, settings } from './config.ts';

export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return relu(x);
  }
}

export class ReLU6 extends Module {
  override forward(x: Tensor): Tensor {
    return relu6(x);
  }
}

export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return selu(x);
  }
}

export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return silu(x);
  }
}

export class Mish extends Module {
  override forward(x: Tensor): Tensor {
    return mish(x);
  }
}

export class Hardswish extends Module {
  override forward(x: Tensor): Tensor {
    return hardswish(x);
  }
}

export class Hardsigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return hardsigmoid(x);
  }
}

export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}

export class LogSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}

export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return tanh(x);
  }
}

export class Softplus extends Module {
  override forward(x: Tensor): Tensor {
    return softplus(x);
  }
}

export class Softsign extends Module {
  override forward(x: Tensor): Tensor {
    return softsign(x);
  }
}

export interface HardtanhConfig {
  /** Default -1. */
  readonly min?: number | undefined;
  /** Default 1. */
  readonly max?: number | undefined;
}

export class Hardtanh extends Module {
  readonly config: HardtanhConfig;

  constructor(config: HardtanhConfig = {}) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return hardtanh(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

export interface LeakyReLUConfig {
  /** Default 0.01. */
  readonly negativeSlope?: number | undefined;
}

export class LeakyReLU extends Module {
  readonly config: LeakyReLUConfig;

  constructor(config: LeakyReLUConfig = {}) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return leakyRelu(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

export interface PReLUConfig {
  /** One slope for all channels, or one for each of so many. Default 1. */
  readonly channels?: number | undefined;
  /** Initial slope. Default 0.25. */
  readonly init?: number | undefined;
}

/** x above 0, a learned slope times x below (He et al. 2015, arXiv:1502.01852). */
export class PReLU extends Module {
  readonly weight: Slot;

  constructor({ channels = 1, init = 0.25 }: PReLUConfig = {}) {
    super();
    expectCount('PReLU', 'channels', channels);
    this.weight = parameter(full([channels], init));
  }

  override forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }

  protected override describe(): string {
    return settings([], { channels: this.weight.size });
  }
}

export interface ELUConfig {
  /** Default 1. */
  readonly alpha?: number | undefined;
}

export class ELU extends Module {
  readonly config: ELUConfig;

  constructor(config: ELUConfig = {}) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return elu(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

export interface GELUConfig {
  /** Exact, or the paper's approximation by tanh. Default none. */
  readonly approximate?: 'none' | 'tanh' | undefined;
}

export class GELU extends Module {
  readonly config: GELUConfig;

  constructor(config: GELUConfig = {}) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return gelu(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

export interface ScaledTanhConfig {
  /** Default 1.7159. */
  readonly amplitude?: number | undefined;
  /** Default 2/3. */
  readonly slope?: number | undefined;
}

export class ScaledTanh extends Module {
  readonly config: ScaledTanhConfig;

  constructor(config: ScaledTanhConfig = {}) {
    super();
    this.config = config;
  }

  override forward(x: Tensor): Tensor {
    return scaledTanh(x, this.config);
  }

  protected override describe(): string {
    return settings([], { ...this.config });
  }
}

export interface SoftmaxConfig {
  /** Default 1: classes of [N, classes] or channels of [N, C, H, W]. */
  readonly axis?: number | undefined;
}

export class Softmax extends Module {
  readonly axis: number;

  constructor({ axis = 1 }: SoftmaxConfig = {}) {
    super();
    this.axis = axis;
  }

  override forward(x: Tensor): Tensor {
    return softmax(x, { axis: this.axis });
  }

  protected override describe(): string {
    return settings([], { axis: this.axis });
  }
}

export class LogSoftmax extends Module {
  readonly axis: number;

  constructor({ axis = 1 }: SoftmaxConfig = {}) {
    super();
    this.axis = axis;
  }

  override forward(x: Tensor): Tensor {
    return logSoftmax(x, { axis: this.axis });
  }

  protected override describe(): string {
    return settings([], { axis: this.axis });
  }
}
