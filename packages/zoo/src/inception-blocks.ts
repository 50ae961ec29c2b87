// What the networks of the Inception family share: the convolution with what follows it, the change of an input normalised
// for other networks, and a sequence with auxiliary classifiers beside it.

import {
  add,
  mul,
  scope,
  tensor,
  type Generator,
  type PairOption,
  type Tensor,
} from '@convoke/core';
import {
  BatchNorm2d,
  Conv2d,
  Linear,
  Module,
  ReLU,
  Sequential,
  initialize,
  truncatedNormal,
  type Modules,
} from '@convoke/nn';

import type { WithAuxiliary } from './architecture.ts';

export interface UnitOptions {
  /** Default 1. */
  readonly stride?: PairOption | undefined;
  /** Default: (kernelSize - 1) / 2 on each side. */
  readonly padding?: PairOption | undefined;
}

/** Makes a convolution `conv`, its normalisation `bn` and a ReLU. */
export type MakeUnit = (
  inChannels: number,
  outChannels: number,
  kernelSize: PairOption,
  options?: UnitOptions,
) => Sequential;

/** No padding. */
export const valid: UnitOptions = { padding: 0 };
/** No padding, and half the height and width. */
export const halving: UnitOptions = { stride: 2, padding: 0 };

export interface UnitsConfig {
  readonly generator: Generator | undefined;
  /** Whether there is batch normalisation, epsilon 1e-3, in place of the bias. Default true. */
  readonly normalized?: boolean | undefined;
}

export function unitsOf({ generator, normalized = true }: UnitsConfig): MakeUnit {
  return (inChannels, outChannels, kernelSize, { stride, padding } = {}) => {
    const [height, width] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
    const conv = new Conv2d({
      inChannels,
      outChannels,
      kernelSize,
      stride,
      padding: padding ?? [(height - 1) / 2, (width - 1) / 2],
      bias: !normalized,
      generator,
    });
    if (!normalized) return new Sequential({ conv, relu: new ReLU() });
    const bn = new BatchNorm2d({ channels: outChannels, epsilon: 1e-3 });
    return new Sequential({ conv, bn, relu: new ReLU() });
  };
}

/** A convolution's or linear layer's weight by its name, from the truncated normal distribution of given deviation. */
export function initializeTruncated(
  model: Module,
  stdOf: (name: string) => number,
  generator: Generator | undefined,
): void {
  initialize(model, ({ name, module, slot, shape }) => {
    if (!(module instanceof Conv2d || module instanceof Linear) || slot !== module.weight) return;
    return truncatedNormal(shape, { std: stdOf(name), min: -2, max: 2, generator });
  });
}

// Of ImageNet's RGB values in [0, 1].
const means = [0.485, 0.456, 0.406];
const deviations = [0.229, 0.224, 0.225];

/** A value a channel; where they are not red, green and blue, the average of the three. */
function perChannel(rgb: readonly number[], channels: number): number[] {
  const average = rgb.reduce((sum, value) => sum + value, 0) / rgb.length;
  return Array.from({ length: channels }, (_, i) => (channels === 3 ? rgb[i]! : average));
}

/**
 * Takes images normalised by ImageNet's mean and deviation to (value - 0.5) / 0.5, which weights that come from TensorFlow
 * want. Images that are not RGB are changed by the average of the three channels' numbers.
 */
export class TransformInput extends Module {
  override forward(x: Tensor): Tensor {
    const channels = x.shape[1]!;
    const options = { shape: [1, channels, 1, 1], backend: x.backend };
    const factors = perChannel(deviations, channels).map((deviation) => deviation / 0.5);
    const terms = perChannel(means, channels).map((mean) => (mean - 0.5) / 0.5);
    return scope(() => add(mul(x, tensor(factors, options)), tensor(terms, options)));
  }
}

export interface AuxiliaryHeads {
  /** Children that are auxiliary classifiers, each with the child whose output it takes. */
  readonly after: Readonly<Record<string, string>>;
  /** Of each auxiliary loss in the whole. */
  readonly share: number;
}

/** A sequence of named modules, some of them classifiers of what passes by; those run in training only. */
export class SequentialWithAuxiliary extends Sequential implements WithAuxiliary {
  readonly auxiliaryShares: readonly number[];
  readonly #after: Readonly<Record<string, string>>;

  constructor(modules: Modules, { after, share }: AuxiliaryHeads) {
    super(modules);
    this.#after = after;
    this.auxiliaryShares = Object.keys(after).map(() => share);
  }

  /** The logits, without auxiliary classifiers. */
  override forward(x: Tensor): Tensor {
    return scope(() => this.#run(x, {})[0]!);
  }

  /** At evaluation: the logits alone. */
  forwardWithAuxiliary(x: Tensor): readonly Tensor[] {
    return scope(() => this.#run(x, this.training ? this.#after : {}));
  }

  #run(x: Tensor, heads: Readonly<Record<string, string>>): Tensor[] {
    const children = this.namedChildren();
    const outputs = new Map<string, Tensor>();
    let value = x;
    for (const [name, module] of children) {
      if (name in this.#after) continue;
      value = module.forward(value);
      for (const [head, source] of Object.entries(heads)) {
        if (source === name) outputs.set(head, children.get(head)!.forward(value));
      }
    }
    return [value, ...Object.keys(heads).map((head) => outputs.get(head)!)];
  }
}
