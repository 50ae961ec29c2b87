// One variant of an architecture, as the checks see it.

import { createMeta, onBackend, type Backend } from '@convoke/core';
import type { Module } from '@convoke/nn';

import type { Architecture, InputFacts } from '../architecture.ts';
import { fillWithGolden } from '../golden/values.ts';

export interface Subject {
  readonly variant: string;
  readonly params: number;
  readonly effectiveParams: number;
  readonly macs: number;
  readonly input: InputFacts;
  readonly numClasses: number;
  /** Path of the classifier, and of the convolution that sees the image. */
  readonly head: string;
  readonly stem: string;
  /** [1, channels, size, size]. */
  readonly shape: readonly number[];
  /** A network on `meta`, in training mode. */
  build(changes?: { numClasses?: number; inChannels?: number }): Module;
  /** One with values that follow from names. */
  fill(gain: number, backend: Backend, changes?: { numClasses?: number }): Module;
}

export function subjectOf(architecture: Architecture, variant: string): Subject {
  const facts = architecture.variants[variant]!;
  const input = facts.input ?? architecture.input;
  const numClasses = facts.numClasses ?? architecture.numClasses ?? 1000;
  const build: Subject['build'] = (changes) =>
    onBackend(createMeta(), () =>
      architecture.build(variant, { numClasses, inChannels: input.channels, ...changes }),
    );
  return {
    variant,
    params: facts.params,
    effectiveParams: facts.effectiveParams ?? facts.params,
    macs: facts.macs,
    input,
    numClasses,
    head: facts.head ?? architecture.head,
    stem: facts.stem ?? architecture.stem,
    shape: [1, input.channels, input.size, input.size],
    build,
    fill(gain, backend, changes) {
      const model = build(changes);
      fillWithGolden(model, gain, backend);
      return model;
    },
  };
}
