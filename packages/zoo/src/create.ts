// Networks by name: ours are loaded when they are asked for, those of other packages are registered.

import { DataError, onBackend, type Backend } from '@convoke/core';
import type { Module } from '@convoke/nn';

import type { Architecture, BuildOptions, InputFacts } from './architecture.ts';
import { families } from './families.ts';
import type { PretrainedWeights } from './pretrained/weights.ts';

export interface CreateOptions extends Partial<BuildOptions> {
  /** Where parameters live. Default: the current backend. */
  readonly backend?: Backend | undefined;
  /** Options that the family knows, such as `width` or `shortcut`. */
  readonly [option: string]: unknown;
}

export interface ModelInfo {
  readonly name: string;
  readonly family: string;
  readonly paper: string;
  readonly params: number;
  readonly effectiveParams: number;
  /** Multiply-adds for one image of the input's size. */
  readonly macs: number;
  readonly input: InputFacts;
  readonly numClasses: number;
  /** Path of the classifier, and of the convolution that sees the image. */
  readonly head: string;
  readonly stem: string;
  /** Published weights, for `loadPretrained`. */
  readonly pretrained: readonly PretrainedWeights[];
}

// Options of families differ; what is asked of them here is the same.
type AnyArchitecture = Architecture<string, object>;

const registered = new Map<string, AnyArchitecture>();

/** Makes an architecture of another package known by its names. Throws a DataError where a name is taken. */
export function registerArchitecture<Name extends string, Options extends object>(
  architecture: Architecture<Name, Options>,
): void {
  const names = [...architecture.names, ...Object.keys(architecture.aliases ?? {})];
  for (const name of names) {
    if (registered.has(name) || name in families)
      throw new DataError(
        `registerArchitecture: there is a network '${name}' already; give yours another name`,
      );
  }
  for (const name of names) registered.set(name, architecture as unknown as AnyArchitecture);
}

/** Number of single changes that turn one word into the other, to find what was meant. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(change, row[j]! + 1, next[j - 1]! + 1);
    }
    row = next;
  }
  return row[b.length]!;
}

async function find(name: string): Promise<{ architecture: AnyArchitecture; variant: string }> {
  const known = registered.get(name) ?? (await families[name]?.());
  if (!known) {
    const near = [...registered.keys(), ...Object.keys(families)]
      .toSorted((a, b) => distance(a, name) - distance(b, name))
      .slice(0, 3);
    throw new DataError(
      `there is no network named '${name}'; near it are ${near.join(', ')}, and listModels() names all`,
    );
  }
  return { architecture: known, variant: known.aliases?.[name] ?? name };
}

/** Names of networks, aliases left out; those that contain `filter`, where one is given. */
export async function listModels(filter = ''): Promise<string[]> {
  const all = new Set<AnyArchitecture>(registered.values());
  for (const load of new Set(Object.values(families))) all.add(await load());
  const names = [...all].flatMap((architecture) => architecture.names);
  return names.filter((name) => name.includes(filter)).toSorted();
}

/** The facts of a network. Throws a DataError for a name that is not there. */
export async function modelInfo(name: string): Promise<ModelInfo> {
  const { architecture, variant } = await find(name);
  const facts = architecture.variants[variant]!;
  const { listPretrained } = await import('./pretrained/catalogue.ts');
  return {
    name: variant,
    family: architecture.family,
    paper: architecture.paper,
    params: facts.params,
    effectiveParams: facts.effectiveParams ?? facts.params,
    macs: facts.macs,
    input: facts.input ?? architecture.input,
    numClasses: facts.numClasses ?? architecture.numClasses ?? 1000,
    head: facts.head ?? architecture.head,
    stem: facts.stem ?? architecture.stem,
    pretrained: listPretrained({ model: variant }),
  };
}

function expectCount(what: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new DataError(`createModel: ${what} must be a whole number of at least 1, got ${value}`);
}

/** A new network with initial values, in training mode. Throws a DataError for a name or a number that makes no sense. */
export async function createModel(name: string, options: CreateOptions = {}): Promise<Module> {
  const { architecture, variant } = await find(name);
  const info = await modelInfo(name);
  const { backend, ...rest } = options;
  const build = {
    ...rest,
    numClasses: options.numClasses ?? info.numClasses,
    inChannels: options.inChannels ?? info.input.channels,
  };
  expectCount('numClasses', build.numClasses);
  expectCount('inChannels', build.inChannels);
  const make = (): Module => architecture.build(variant, build);
  return backend ? onBackend(backend, make) : make();
}
