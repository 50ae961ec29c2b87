/**
 * EfficientNet: inverted residual blocks with squeeze-and-excitation, scaled in width, depth and resolution together. Tan and
 * Le 2019, arXiv:1905.11946, table 1 and section 3.3; version 2 with fused blocks: Tan and Le 2021, arXiv:2104.00298, table 4.
 * torchvision's names and numbers.
 */

import { add, DataError, scope, type Generator, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  Module,
  Sequential,
  SiLU,
  SqueezeExcite,
  StochasticDepth,
  initialize,
  kaimingNormal,
  uniform,
  zeros,
} from '@convoke/nn';

import { defineArchitecture, type Architecture, type BuildOptions } from '../architecture.ts';
import { convNorm, makeDivisible } from '../blocks.ts';
import { largestWithin, type Budget, type BudgetOptions, type Fitting } from '../budget.ts';

/** Kind, expansion, kernel, stride, channels, layers. */
type Row = readonly [
  kind: 'mb' | 'fused',
  expansion: number,
  kernelSize: number,
  stride: number,
  channels: number,
  layers: number,
];

const base: readonly Row[] = [
  ['mb', 1, 3, 1, 16, 1],
  ['mb', 6, 3, 2, 24, 2],
  ['mb', 6, 5, 2, 40, 2],
  ['mb', 6, 3, 2, 80, 3],
  ['mb', 6, 5, 1, 112, 3],
  ['mb', 6, 5, 2, 192, 4],
  ['mb', 6, 3, 1, 320, 1],
];
const v2Small: readonly Row[] = [
  ['fused', 1, 3, 1, 24, 2],
  ['fused', 4, 3, 2, 48, 4],
  ['fused', 4, 3, 2, 64, 4],
  ['mb', 4, 3, 2, 128, 6],
  ['mb', 6, 3, 1, 160, 9],
  ['mb', 6, 3, 2, 256, 15],
];

interface Plan {
  readonly stem: number;
  readonly rows: readonly Row[];
  /** Channels of the last convolution; four times its input's unless given. */
  readonly last?: number;
  readonly dropout: number;
  readonly norm: { readonly epsilon?: number; readonly momentum?: number };
}

function scaled(width: number, depth: number, dropout: number, norm: Plan['norm'] = {}): Plan {
  const channelsOf = (channels: number): number => makeDivisible(channels * width);
  return {
    stem: channelsOf(32),
    rows: base.map(([kind, expansion, kernelSize, stride, channels, layers]) => [
      kind,
      expansion,
      kernelSize,
      stride,
      channelsOf(channels),
      Math.ceil(layers * depth),
    ]),
    dropout,
    norm,
  };
}

const large = { epsilon: 1e-3, momentum: 0.01 };

type Name = `efficientnet_b${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}` | 'efficientnet_v2_s';

const plans: Readonly<Record<Name, Plan>> = {
  efficientnet_b0: scaled(1, 1, 0.2),
  efficientnet_b1: scaled(1, 1.1, 0.2),
  efficientnet_b2: scaled(1.1, 1.2, 0.3),
  efficientnet_b3: scaled(1.2, 1.4, 0.3),
  efficientnet_b4: scaled(1.4, 1.8, 0.4),
  efficientnet_b5: scaled(1.6, 2.2, 0.4, large),
  efficientnet_b6: scaled(1.8, 2.6, 0.5, large),
  efficientnet_b7: scaled(2, 3.1, 0.5, large),
  efficientnet_v2_s: { stem: 24, rows: v2Small, last: 1280, dropout: 0.2, norm: { epsilon: 1e-3 } },
};

interface BlockConfig {
  readonly row: Row;
  readonly inChannels: number;
  readonly stride: number;
  readonly survival: number;
  readonly norm: Plan['norm'];
  readonly generator: Generator | undefined;
}

/** Both kinds of blocks: what they are made of differs, not what is done with it. */
class InvertedResidual extends Module {
  readonly block: Sequential;
  readonly stochastic_depth: StochasticDepth;
  readonly residual: boolean;

  constructor(config: BlockConfig) {
    super();
    const { row, inChannels, stride, survival } = config;
    this.block = new Sequential(row[0] === 'mb' ? separable(config) : fused(config));
    this.stochastic_depth = new StochasticDepth({ p: 1 - survival });
    this.residual = stride === 1 && inChannels === row[4];
  }

  override forward(x: Tensor): Tensor {
    if (!this.residual) return this.block.forward(x);
    return scope(() => add(this.stochastic_depth.forward(this.block.forward(x)), x));
  }
}

function separable({ row, inChannels, stride, norm, generator }: BlockConfig): Module[] {
  const [, expansion, kernelSize, , outChannels] = row;
  const expanded = makeDivisible(inChannels * expansion);
  const unit = { ...norm, generator };
  const expand = (): Module =>
    convNorm({
      ...unit,
      inChannels,
      outChannels: expanded,
      kernelSize: 1,
      activation: new SiLU(),
    });
  return [
    ...(expanded === inChannels ? [] : [expand()]),
    convNorm({
      ...unit,
      inChannels: expanded,
      outChannels: expanded,
      kernelSize,
      stride,
      groups: expanded,
      activation: new SiLU(),
    }),
    new SqueezeExcite({
      channels: expanded,
      squeezeChannels: Math.max(1, Math.floor(inChannels / 4)),
      activation: new SiLU(),
      generator,
    }),
    convNorm({ ...unit, inChannels: expanded, outChannels, kernelSize: 1 }),
  ];
}

function fused({ row, inChannels, stride, norm, generator }: BlockConfig): Module[] {
  const [, expansion, kernelSize, , outChannels] = row;
  const expanded = makeDivisible(inChannels * expansion);
  const unit = { ...norm, generator };
  const wide = { ...unit, inChannels, kernelSize, stride };
  if (expanded === inChannels) return [convNorm({ ...wide, outChannels, activation: new SiLU() })];
  return [
    convNorm({ ...wide, outChannels: expanded, activation: new SiLU() }),
    convNorm({ ...unit, inChannels: expanded, outChannels, kernelSize: 1 }),
  ];
}

/** Blocks are dropped with a probability that grows to this at the last one. */
const STOCHASTIC_DEPTH = 0.2;

function build(plan: Plan, { numClasses, inChannels, generator }: BuildOptions): Module {
  const { stem, rows, norm, dropout } = plan;
  const unit = { ...norm, generator };
  const total = rows.reduce((sum, [, , , , , layers]) => sum + layers, 0);
  const stages: Module[] = [
    convNorm({
      ...unit,
      inChannels,
      outChannels: stem,
      kernelSize: 3,
      stride: 2,
      activation: new SiLU(),
    }),
  ];
  let channels = stem;
  let number = 0;
  for (const row of rows) {
    const blocks: Module[] = [];
    for (let layer = 0; layer < row[5]; layer++) {
      const survival = 1 - (STOCHASTIC_DEPTH * number++) / total;
      const stride = layer === 0 ? row[3] : 1;
      blocks.push(
        new InvertedResidual({ row, inChannels: channels, stride, survival, norm, generator }),
      );
      channels = row[4];
    }
    stages.push(new Sequential(blocks));
  }
  const last = plan.last ?? 4 * channels;
  stages.push(
    convNorm({
      ...unit,
      inChannels: channels,
      outChannels: last,
      kernelSize: 1,
      activation: new SiLU(),
    }),
  );
  const model = new Sequential({
    features: new Sequential(stages),
    avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
    flatten: new Flatten(),
    classifier: new Sequential([
      new Dropout({ p: dropout }),
      new Linear({ inFeatures: last, outFeatures: numClasses, generator }),
    ]),
  });
  initialize(model, ({ name, shape, module }) => {
    if (module instanceof BatchNorm2d) return;
    if (name.endsWith('bias')) return zeros(shape);
    if (module instanceof Conv2d) return kaimingNormal(shape, { mode: 'fanOut', generator });
    const bound = 1 / Math.sqrt(shape[0]!);
    return uniform(shape, { min: -bound, max: bound, generator });
  });
  return model;
}

const sized = (
  size: number,
): { readonly channels: number; readonly size: number; readonly minSize: number } => ({
  channels: 3,
  size,
  minSize: 1,
});

export const efficientnet: Architecture<Name> = defineArchitecture({
  family: 'efficientnet',
  paper: 'Tan and Le 2019, arXiv:1905.11946; Tan and Le 2021, arXiv:2104.00298',
  variants: {
    efficientnet_b0: { params: 5_288_548, macs: 385_814_752 },
    efficientnet_b1: { params: 7_794_184, macs: 686_802_832, input: sized(240) },
    efficientnet_b2: { params: 9_109_994, macs: 993_561_872, input: sized(260) },
    efficientnet_b3: { params: 12_233_232, macs: 1_827_141_392, input: sized(300) },
    efficientnet_b4: { params: 19_341_616, macs: 4_393_771_024, input: sized(380) },
    efficientnet_b5: { params: 30_389_784, macs: 10_266_384_752, input: sized(456) },
    efficientnet_b6: { params: 43_040_704, macs: 19_067_593_536, input: sized(528) },
    efficientnet_b7: { params: 66_347_960, macs: 37_745_884_192, input: sized(600) },
    efficientnet_v2_s: { params: 21_458_488, macs: 2_849_895_872 },
  },
  input: sized(224),
  head: 'classifier.1',
  stem: 'features.0.0',
  build: (variant, options) => build(plans[variant], options),
});

export type { Budget, BudgetOptions, Fitting, Scaled } from '../budget.ts';

export interface CompoundScaling {
  /** Factors of channels and of layers, and the side of images in pixels. */
  readonly width: number;
  readonly depth: number;
  readonly size: number;
  build(options?: Partial<BuildOptions>): Module;
}

/**
 * EfficientNet-B0 scaled by phi (section 3.3: depth 1.2^phi, width 1.1^phi, resolution 1.15^phi), any number from 0 on. The
 * published B1 to B7 are rounded by hand and differ slightly. Throws a DataError for other phi.
 */
export function compoundScaling(phi: number): CompoundScaling {
  if (!(phi >= 0 && phi < Infinity))
    throw new DataError(`compoundScaling: phi must be a finite number of at least 0, got ${phi}`);
  const [width, depth] = [1.1 ** phi, 1.2 ** phi];
  return {
    width,
    depth,
    size: Math.round(224 * 1.15 ** phi),
    build: ({ numClasses = 1000, inChannels = 3, generator } = {}) =>
      build(scaled(width, depth, 0.2), { numClasses, inChannels, generator }),
  };
}

/**
 * The largest compound scaling, phi in steps of 0.01, that keeps within a budget of parameters, multiply-adds or milliseconds,
 * those measured here and now for one image. Throws a DataError where EfficientNet-B0 (phi 0) is too large already.
 */
export async function scaleToBudget(
  budget: Budget,
  options: BudgetOptions = {},
): Promise<CompoundScaling & Fitting> {
  const fitting = await largestWithin('scaleToBudget', compoundScaling, budget, options);
  return { ...compoundScaling(fitting.phi), ...fitting };
}
