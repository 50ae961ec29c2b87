/**
 * RegNet: residual networks whose widths follow from a line, and RegNetY with squeeze-and-excitation. Radosavovic et al.
 * 2020, arXiv:2003.13678, section 3.3 and table 3.
 */

import { add, scope, type Generator, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Flatten,
  Linear,
  Module,
  ReLU,
  Sequential,
  SqueezeExcite,
  initialize,
  kaimingNormal,
  normal,
  zeros,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { convNorm, makeDivisible } from '../blocks.ts';

/** Of the line of widths w0 + slope i for block i < depth, which is rounded to w0 step^k for whole k. */
interface Line {
  readonly depth: number;
  readonly w0: number;
  readonly slope: number;
  readonly step: number;
  /** Channels a group of the 3x3 convolutions. */
  readonly groupWidth: number;
}

const lines = {
  regnet_y_400mf: { depth: 16, w0: 48, slope: 27.89, step: 2.09, groupWidth: 8 },
  regnet_y_800mf: { depth: 14, w0: 56, slope: 38.84, step: 2.4, groupWidth: 16 },
  regnet_y_1_6gf: { depth: 27, w0: 48, slope: 20.71, step: 2.65, groupWidth: 24 },
} as const;

interface Stage {
  readonly width: number;
  readonly blocks: number;
}

/** Blocks of the same width in a row make a stage (equations 2 to 4). */
function stagesOf({ depth, w0, slope, step, groupWidth }: Line): Stage[] {
  const stages: Stage[] = [];
  for (let i = 0; i < depth; i++) {
    const exponent = Math.round(Math.log((w0 + slope * i) / w0) / Math.log(step));
    const width = makeDivisible(8 * Math.round((w0 * step ** exponent) / 8), groupWidth);
    const last = stages.at(-1);
    if (last?.width === width) stages[stages.length - 1] = { width, blocks: last.blocks + 1 };
    else stages.push({ width, blocks: 1 });
  }
  return stages;
}

interface BlockConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
  readonly groupWidth: number;
  readonly generator: Generator | undefined;
}

/** 1x1, 3x3 in groups, squeeze-and-excitation to a quarter of the block's input, 1x1 (figure 4, left, without bottleneck). */
class Block extends Module {
  readonly proj: Sequential | null;
  readonly f: Sequential;
  readonly activation: ReLU;

  constructor({ inChannels, outChannels, stride, groupWidth, generator }: BlockConfig) {
    super();
    const unit = { outChannels, generator };
    const within = { ...unit, inChannels: outChannels };
    const groups = outChannels / groupWidth;
    this.proj =
      stride > 1 || inChannels !== outChannels
        ? convNorm({ ...unit, inChannels, kernelSize: 1, stride })
        : null;
    this.f = new Sequential({
      a: convNorm({ ...unit, inChannels, kernelSize: 1, activation: new ReLU() }),
      b: convNorm({ ...within, kernelSize: 3, stride, groups, activation: new ReLU() }),
      se: new SqueezeExcite({
        channels: outChannels,
        squeezeChannels: Math.round(inChannels / 4),
        generator,
      }),
      c: convNorm({ ...within, kernelSize: 1 }),
    });
    this.activation = new ReLU();
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const straight = this.proj ? this.proj.forward(x) : x;
      return this.activation.forward(add(straight, this.f.forward(x)));
    });
  }
}

export const regnet: Architecture<keyof typeof lines> = defineArchitecture({
  family: 'regnet',
  paper: 'Radosavovic et al. 2020, arXiv:2003.13678',
  variants: {
    regnet_y_400mf: { params: 4_344_144, macs: 401_842_848 },
    regnet_y_800mf: { params: 6_432_512, macs: 833_856_256 },
    regnet_y_1_6gf: { params: 11_202_430, macs: 1_612_076_160 },
  },
  input: { channels: 3, size: 224, minSize: 1 },
  head: 'fc',
  stem: 'stem.0',
  build(variant, { numClasses, inChannels, generator }) {
    const line = lines[variant];
    let channels = 32;
    const stem = convNorm({
      inChannels,
      outChannels: channels,
      kernelSize: 3,
      stride: 2,
      activation: new ReLU(),
      generator,
    });
    const stages = stagesOf(line).map(({ width, blocks }, i) => {
      const modules = Array.from({ length: blocks }, (_, k) => {
        const block = new Block({
          inChannels: channels,
          outChannels: width,
          stride: k === 0 ? 2 : 1,
          groupWidth: line.groupWidth,
          generator,
        });
        channels = width;
        return [`block${i + 1}-${k}`, block] as const;
      });
      return [`block${i + 1}`, new Sequential(Object.fromEntries(modules))] as const;
    });
    const model = new Sequential({
      stem,
      trunk_output: new Sequential(Object.fromEntries(stages)),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      fc: new Linear({ inFeatures: channels, outFeatures: numClasses, generator }),
    });
    initialize(model, ({ name, shape, module, slot }) => {
      if (module instanceof Conv2d && slot === module.weight)
        return kaimingNormal(shape, { mode: 'fanOut', generator });
      if (name === 'fc.weight') return normal(shape, { std: 0.01, generator });
      return name === 'fc.bias' ? zeros(shape) : null;
    });
    return model;
  },
});
