/**
 * ConvNeXt: a ResNet remade after vision transformers. Liu et al. 2022, arXiv:2201.03545, figure 4 and section 3.
 */

import {
  add,
  mul,
  parameter,
  permute,
  scope,
  type Generator,
  type Slot,
  type Tensor,
} from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Flatten,
  GELU,
  LayerNorm,
  Linear,
  Module,
  Sequential,
  StochasticDepth,
  constant,
  initialize,
  truncatedNormal,
  zeros,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';

interface Table {
  /** Channels and blocks of each stage. */
  readonly stages: readonly (readonly [channels: number, blocks: number])[];
  /** Probability that the last block is passed by in training; it falls to 0 at the first. */
  readonly stochasticDepth: number;
}

const tables: Readonly<Record<'convnext_tiny' | 'convnext_small', Table>> = {
  convnext_tiny: {
    stages: [
      [96, 3],
      [192, 3],
      [384, 9],
      [768, 3],
    ],
    stochasticDepth: 0.1,
  },
  convnext_small: {
    stages: [
      [96, 3],
      [192, 3],
      [384, 27],
      [768, 3],
    ],
    stochasticDepth: 0.4,
  },
};

/** Each pixel of [N, C, H, W] normalised over its channels. */
const layerNorm2d = (channels: number): Module =>
  new LayerNorm({ normalizedShape: channels, epsilon: 1e-6, channelsFirst: true });

class Permute extends Module {
  readonly axes: readonly number[];

  constructor(axes: readonly number[]) {
    super();
    this.axes = axes;
  }

  override forward(x: Tensor): Tensor {
    return permute(x, this.axes);
  }

  protected override describe(): string {
    return `[${this.axes.join(', ')}]`;
  }
}

/** Depthwise 7x7, then at each pixel a layer to four times the channels and one back (figure 4). */
class Block extends Module {
  readonly layerScale: Slot;
  readonly block: Sequential;
  readonly stochasticDepth: StochasticDepth;

  constructor(channels: number, dropped: number, generator: Generator | undefined) {
    super();
    const wide = 4 * channels;
    this.layerScale = parameter(constant([channels, 1, 1], 1e-6));
    this.block = new Sequential([
      new Conv2d({
        inChannels: channels,
        outChannels: channels,
        kernelSize: 7,
        padding: 3,
        groups: channels,
        generator,
      }),
      new Permute([0, 2, 3, 1]),
      new LayerNorm({ normalizedShape: channels, epsilon: 1e-6 }),
      new Linear({ inFeatures: channels, outFeatures: wide, generator }),
      new GELU(),
      new Linear({ inFeatures: wide, outFeatures: channels, generator }),
      new Permute([0, 3, 1, 2]),
    ]);
    this.stochasticDepth = new StochasticDepth({ p: dropped });
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const scaled = mul(this.layerScale, this.block.forward(x));
      return add(this.stochasticDepth.forward(scaled), x);
    });
  }

  protected override stateName(field: string): string {
    return field === 'layerScale' ? 'layer_scale' : field;
  }
}

export const convnext: Architecture<keyof typeof tables> = defineArchitecture({
  family: 'convnext',
  paper: 'Liu et al. 2022, arXiv:2201.03545',
  variants: {
    convnext_tiny: { params: 28_589_128, macs: 4_455_531_264 },
    convnext_small: { params: 50_223_688, macs: 8_683_712_256 },
  },
  input: { channels: 3, size: 224, minSize: 32 },
  head: 'classifier.2',
  stem: 'features.0.0',
  build(variant, { numClasses, inChannels, generator }) {
    const { stages, stochasticDepth } = tables[variant];
    const total = stages.reduce((sum, [, blocks]) => sum + blocks, 0);
    const features: Module[] = [];
    let made = 0;
    let channels = inChannels;
    for (const [outChannels, blocks] of stages) {
      const first = features.length === 0;
      const kernelSize = first ? 4 : 2;
      const change = new Conv2d({
        inChannels: channels,
        outChannels,
        kernelSize,
        stride: kernelSize,
        generator,
      });
      features.push(
        new Sequential(
          first ? [change, layerNorm2d(outChannels)] : [layerNorm2d(channels), change],
        ),
        new Sequential(
          Array.from({ length: blocks }, () => {
            const dropped = (stochasticDepth * made++) / (total - 1);
            return new Block(outChannels, dropped, generator);
          }),
        ),
      );
      channels = outChannels;
    }
    const model = new Sequential({
      features: new Sequential(features),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      classifier: new Sequential([
        layerNorm2d(channels),
        new Flatten(),
        new Linear({ inFeatures: channels, outFeatures: numClasses, generator }),
      ]),
    });
    initialize(model, ({ shape, module, slot }) => {
      if (!(module instanceof Conv2d || module instanceof Linear)) return null;
      if (slot !== module.weight) return zeros(shape);
      return truncatedNormal(shape, { std: 0.02, min: -2, max: 2, generator });
    });
    return model;
  },
});
