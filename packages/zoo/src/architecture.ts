// What an architecture is: a family of networks that share a builder, with the facts of each variant. One file in
// `architectures/` defines one family and exports it; nothing is registered by importing it.

import { DataError, type Generator, type Tensor } from '@convoke/core';
import type { Module } from '@convoke/nn';

import { checkOptions, type OptionRule, type OptionRules } from './options.ts';

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
  /** What may be asked for besides BuildOptions. Others are refused. */
  readonly options?: OptionRules<Options> | undefined;
  /** `options` holds those of the caller that the family knows besides BuildOptions, checked. */
  readonly build: (variant: Name, options: BuildOptions & Partial<Options>) => Module;
}

export interface Architecture<
  Name extends string = string,
  Options extends object = object,
> extends Definition<Name, Options> {
  readonly names: readonly Name[];
}

/** A family with options of its own says what they may be. */
type Declared<Options extends object> = keyof Options extends never
  ? unknown
  : { readonly options: OptionRules<Options> };

/**
 * The definition, frozen, with the names of its variants; `build` refuses variants and options that it does not know. Throws a
 * DataError where the definition does not make sense.
 */
export function defineArchitecture<const Name extends string, Options extends object = object>(
  definition: Definition<Name, Options> & Declared<Options>,
): Architecture<Name, Options> {
  checkDefinition(definition);
  const { family, variants } = definition;
  const names = Object.keys(variants) as Name[];
  const rules = (definition.options ?? {}) as Readonly<Record<string, OptionRule<unknown>>>;
  const build: Definition<Name, Options>['build'] = (variant, options) => {
    if (!names.includes(variant)) {
      throw new DataError(`${family} has no network '${variant}'; it has ${names.join(', ')}`);
    }
    checkOptions(variant, options, rules);
    return definition.build(variant, options);
  };
  return Object.freeze({ ...definition, build, names });
}

const isText = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;

function checkDefinition(
  definition: Omit<Definition<string, object>, 'build'> & { readonly build: unknown },
): void {
  const { family, variants, aliases = {} } = definition;
  const what = isText(family) ? `defineArchitecture: ${family}` : 'defineArchitecture';
  const expect = (good: boolean, field: string, expected: string, value: unknown): void => {
    if (good) return;
    const given = typeof value === 'string' ? `'${value}'` : String(value);
    throw new DataError(`${what}: ${field} must be ${expected}, got ${given}`);
  };
  const text = (field: string, value: unknown): void =>
    expect(isText(value), field, 'a text', value);
  const count = (field: string, value: unknown): void =>
    expect(isCount(value), field, 'a whole number of at least 1', value);
  const input = (field: string, facts: InputFacts | undefined): void => {
    expect(typeof facts === 'object', field, '{ channels, size }', facts);
    const { channels, size, minSize } = facts!;
    count(`${field}.channels`, channels);
    count(`${field}.size`, size);
    if (minSize === undefined) return;
    count(`${field}.minSize`, minSize);
    expect(minSize <= size, `${field}.minSize`, `at most its size of ${size}`, minSize);
  };

  text('family', family);
  text('paper', definition.paper);
  text('head', definition.head);
  text('stem', definition.stem);
  input('input', definition.input);
  if (definition.numClasses !== undefined) count('numClasses', definition.numClasses);
  expect(typeof definition.build === 'function', 'build', 'a function', definition.build);
  const names = Object.keys(variants ?? {});
  expect(names.length > 0, 'variants', 'the facts of a network or more, by name', variants);
  for (const name of names) {
    const facts = variants[name]!;
    const { params, effectiveParams } = facts;
    const at = (field: string): string => `variants.${name}.${field}`;
    count(at('params'), params);
    count(at('macs'), facts.macs);
    if (effectiveParams !== undefined) {
      count(at('effectiveParams'), effectiveParams);
      const most = `at most its params of ${params}`;
      expect(effectiveParams <= params, at('effectiveParams'), most, effectiveParams);
    }
    if (facts.input !== undefined) input(at('input'), facts.input);
    if (facts.numClasses !== undefined) count(at('numClasses'), facts.numClasses);
    if (facts.head !== undefined) text(at('head'), facts.head);
    if (facts.stem !== undefined) text(at('stem'), facts.stem);
  }
  for (const [alias, name] of Object.entries(aliases)) {
    const known = `one of its networks, ${names.join(', ')}`;
    expect(names.includes(name), `aliases.${alias}`, known, name);
    expect(!names.includes(alias), `aliases.${alias}`, 'a name that no network has', alias);
  }
}

/** A network with auxiliary classifiers, whose losses are added in training. */
export interface WithAuxiliary extends Module {
  /** The logits, then those of each auxiliary classifier; in training mode only. */
  forwardWithAuxiliary(x: Tensor): readonly Tensor[];
  /** The share of each auxiliary loss in the whole. */
  readonly auxiliaryShares: readonly number[];
}
