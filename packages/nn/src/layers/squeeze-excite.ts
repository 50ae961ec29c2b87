// Channels weighed by what the whole image holds.

import {
  adaptiveAvgPool2d,
  formatShape,
  mul,
  scope,
  ShapeError,
  type Generator,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';
import { ReLU, Sigmoid } from './activations.ts';
import { Conv2d } from './conv.ts';

export interface SqueezeExciteConfig {
  readonly channels: number;
  /** Channels between the two layers. */
  readonly squeezeChannels: number;
  /** After the first layer. Default: a ReLU. */
  readonly activation?: Module | undefined;
  /** After the second, to factors of channels. Default: a Sigmoid. */
  readonly gate?: Module | undefined;
  readonly generator?: Generator | undefined;
}

/** Squeeze and excitation (Hu et al. 2017, arXiv:1709.01507) with 1x1 convolutions `fc1` and `fc2`. */
export class SqueezeExcite extends Module {
  readonly fc1: Conv2d;
  readonly fc2: Conv2d;
  readonly activation: Module;
  readonly gate: Module;

  constructor(config: SqueezeExciteConfig) {
    super();
    const { channels, squeezeChannels, activation, gate, generator } = config;
    const layer = (inChannels: number, outChannels: number): Conv2d =>
      new Conv2d({ inChannels, outChannels, kernelSize: 1, generator });
    this.fc1 = layer(channels, squeezeChannels);
    this.fc2 = layer(squeezeChannels, channels);
    this.activation = activation ?? new ReLU();
    this.gate = gate ?? new Sigmoid();
  }

  override forward(x: Tensor): Tensor {
    if (x.shape.length !== 4) {
      throw new ShapeError(
        `SqueezeExcite: the input has shape ${formatShape(x.shape)}; expected [N, C, H, W]`,
      );
    }
    return scope(() => {
      const squeezed = adaptiveAvgPool2d(x, { outputSize: 1 });
      const excited = this.activation.forward(this.fc1.forward(squeezed));
      return mul(x, this.gate.forward(this.fc2.forward(excited)));
    });
  }
}
