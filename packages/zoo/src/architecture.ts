// What an architecture is: a family of networks that share a builder, with the facts of each variant. One file in
// `architectures/` defines one family and exports it; nothing is registered by importing it.

import type { Generator, Tensor } from '@convoke/core';
import type { Module } from '@convoke/nn';

/** What every builder is told, defaults filled in. */
export interface BuildOptions {
  readonly numClasses: number;
  readonly inChannels: number;
  /** Of the initial values. Absent: nn's `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

/** Images a network takes, in pixels; height and width are equal where one number is given. */
export interface InputFacts {
  readonly channels: number;
  /** What it was designed for. */
  readonly size: number;
  /** The smallest that gives an output. Default: `size`, that is, no other size works. */
  readonly minSize?: number | undefined;
}

export interface VariantFacts {
  /** Trained parameters as built, auxiliary classifiers included. */
  readonly params: number;
  /** Multiply-adds of convolutions and linear layers for one image of the input's size. */
  readonly macs: number;
  /** Trained parameters less those that a connection table masks. Default: `params`. */
  readonly effectiveParams?: number | undefined;
  /** Where it differs from the family's. */
  readonly input?: InputFacts | undefined;
  readonly numClasses?: number | undefined;
  /** Path of the classifier, where it differs from the family's. */
  readonly head?: string | undefined;
  /** Path of the first convolution, where it differs from the family's. */
  readonly stem?: string | undefined;
}

export interface Definition<Name extends string, Options extends object> {
  readonly family: string;
  /** Author, year and arXiv id or DOI. */
  readonly paper: string;
  readonly variants: Readonly<Record<Name, VariantFacts>>;
  /** Other names of variants. */
  readonly aliases?: Readonly<Record<string, Name>> | undefined;
  readonly input: InputFacts;
  /** Default 1000. */
  readonly numClasses?: number | undefined;
  /** Path of the module that gives the logits: what `resetHead` replaces. */
  readonly head: string;
  /** Path of the convolution that sees the image: what other numbers of channels change. */
  readonly stem: string;
  /** `options` holds those of the caller that the family knows besides BuildOptions. */
  readonly build: (variant: Name, options: BuildOptions & Partial<Options>) => Module;
}

export interface Architecture<
  Name extends string = string,
  Options extends object = object,
> extends Definition<Name, Options> {
  readonly names: readonly Name[];
}

/** The definition, frozen, with the names of its variants. */
export function defineArchitecture<const Name extends string, Options extends object = object>(
  definition: Definition<Name, Options>,
): Architecture<Name, Options> {
  return Object.freeze({ ...definition, names: Object.keys(definition.variants) as Name[] });
}

/** A network with auxiliary classifiers, whose losses are added in training. */
export interface WithAuxiliary extends Module {
  /** The logits, then those of each auxiliary classifier; in training mode only. */
  forwardWithAuxiliary(x: Tensor): readonly Tensor[];
  /** The share of each auxiliary loss in the whole. */
  readonly auxiliaryShares: readonly number[];
}
