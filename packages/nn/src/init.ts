// Initial values of parameters, by seed. Filters are [O, I/groups, kH, kW], weights of linear layers [out, in].

import {
  formatShape,
  full,
  onBackend,
  scope,
  ShapeError,
  sizeOf,
  type Generator,
  type Shape,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { expectWord } from './layers/config.ts';
import type { Module } from './module.ts';
import { defaultGenerator } from './random.ts';

export { ones, zeros, full as constant } from '@convoke/core';

export interface RandomInitOptions {
  /** Default: `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

export interface NormalInitOptions extends RandomInitOptions {
  /** Default 0. */
  readonly mean?: number | undefined;
  /** Default 1. */
  readonly std?: number | undefined;
}

export interface TruncatedNormalInitOptions extends NormalInitOptions {
  /** Default mean - 2 std. PyTorch's trunc_normal_ has -2, whatever std is. */
  readonly min?: number | undefined;
  /** Default mean + 2 std. */
  readonly max?: number | undefined;
}

export interface UniformInitOptions extends RandomInitOptions {
  /** Default 0. */
  readonly min?: number | undefined;
  /** Default 1. Not reached. */
  readonly max?: number | undefined;
}

export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

export interface KaimingOptions extends RandomInitOptions {
  /** Keep the variance of what passes forward (`fanIn`, the default) or of gradients (`fanOut`). */
  readonly mode?: 'fanIn' | 'fanOut' | undefined;
  /** What follows the layer. Default `leakyRelu`, with `negativeSlope` 0 the same as `relu`. */
  readonly nonlinearity?: Nonlinearity | undefined;
  /** Of a leakyRelu. Default 0. */
  readonly negativeSlope?: number | undefined;
}

export interface XavierOptions extends RandomInitOptions {
  /** Factor. Default 1. */
  readonly gain?: number | undefined;
}

/** By how much to scale weights before a nonlinearity so that variances stay (PyTorch's calculate_gain). Throws a ShapeError for a word that is none. */
export function gainOf(nonlinearity: Nonlinearity, negativeSlope = 0): number {
  const gains: Readonly<Record<Nonlinearity, number>> = {
    linear: 1,
    sigmoid: 1,
    tanh: 5 / 3,
    relu: Math.SQRT2,
    leakyRelu: Math.sqrt(2 / (1 + negativeSlope ** 2)),
    selu: 3 / 4,
  };
  expectWord('initialiser', 'nonlinearity', nonlinearity, Object.keys(gains));
  return gains[nonlinearity];
}

/** How many inputs reach an output, and how many outputs an input reaches. Throws a ShapeError below rank 2. */
export function fansOf(shape: Shape): { fanIn: number; fanOut: number } {
  const [outputs, inputs, ...kernel] = shape;
  if (outputs === undefined || inputs === undefined) {
    throw new ShapeError(
      `initialiser: fans need a shape of at least 2 axes, [out, in, ...], got ${formatShape(shape)}; use normal or uniform`,
    );
  }
  const taps = sizeOf(kernel);
  return { fanIn: inputs * taps, fanOut: outputs * taps };
}

export function normal(shape: Shape, options: NormalInitOptions = {}): Tensor {
  const { generator = defaultGenerator(), mean, std } = options;
  return generator.normal(shape, { mean, std });
}

/** Normal, restricted to [min, max]. */
export function truncatedNormal(shape: Shape, options: TruncatedNormalInitOptions = {}): Tensor {
  const { generator = defaultGenerator(), mean, std, min, max } = options;
  return generator.truncatedNormal(shape, { mean, std, min, max });
}

export function uniform(shape: Shape, options: UniformInitOptions = {}): Tensor {
  const { generator = defaultGenerator(), min, max } = options;
  return generator.uniform(shape, { min, max });
}

function kaimingStd(shape: Shape, options: KaimingOptions): number {
  const { mode = 'fanIn', nonlinearity = 'leakyRelu', negativeSlope } = options;
  expectWord('initialiser', 'mode', mode, ['fanIn', 'fanOut']);
  const fan = fansOf(shape)[mode];
  return fan === 0 ? 0 : gainOf(nonlinearity, negativeSlope) / Math.sqrt(fan);
}

/** Normal with std gain / sqrt(fan) (He et al. 2015, arXiv:1502.01852). */
export function kaimingNormal(shape: Shape, options: KaimingOptions = {}): Tensor {
  return normal(shape, { std: kaimingStd(shape, options), generator: options.generator });
}

/** Uniform within ±gain sqrt(3 / fan) (He et al. 2015, arXiv:1502.01852). */
export function kaimingUniform(shape: Shape, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(shape, options);
  return uniform(shape, { min: -bound, max: bound, generator: options.generator });
}

function xavierStd(shape: Shape, { gain = 1 }: XavierOptions): number {
  const { fanIn, fanOut } = fansOf(shape);
  return fanIn + fanOut === 0 ? 0 : gain * Math.sqrt(2 / (fanIn + fanOut));
}

/** Normal with std gain sqrt(2 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
export function xavierNormal(shape: Shape, options: XavierOptions = {}): Tensor {
  return normal(shape, { std: xavierStd(shape, options), generator: options.generator });
}

/** Uniform within ±gain sqrt(6 / (fanIn + fanOut)) (Glorot & Bengio 2010). */
export function xavierUniform(shape: Shape, options: XavierOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierStd(shape, options);
  return uniform(shape, { min: -bound, max: bound, generator: options.generator });
}

/** Uniform within ±1 / sqrt(fanIn): what PyTorch's convolutions and linear layers start with, weights and biases alike. */
export function fanInUniform(shape: Shape, fanIn: number, generator?: Generator): Tensor {
  if (fanIn === 0) return full(shape, 0);
  const bound = 1 / Math.sqrt(fanIn);
  return uniform(shape, { min: -bound, max: bound, generator });
}

/** What a rule of `initialize` is told of a parameter. */
export interface ParameterInfo {
  /** In the state dict of the module that is initialised. */
  readonly name: string;
  readonly shape: Shape;
  /** The module it belongs to. */
  readonly module: Module;
  readonly slot: Slot;
}

/**
 * Gives parameters new values: those for which `rule` returns a tensor. Throws a ShapeError where its shape is another, after
 * which parameters before it have their new values already.
 */
export function initialize(
  root: Module,
  rule: (parameter: ParameterInfo) => Tensor | null | undefined,
): void {
  for (const [path, module] of root.namedModules()) {
    for (const [own, slot] of module.ownSlots()) {
      if (!slot.isParameter) continue;
      const name = path === '' ? own : `${path}.${own}`;
      onBackend(slot.backend, () =>
        scope(() => {
          const value = rule({ name, shape: slot.shape, module, slot });
          if (value) slot.assign(value);
        }),
      );
    }
  }
}
