// Random generators that a model draws from in training, such as those of its dropout layers: found in its fields, saved with
// a checkpoint, and set back.

import { DataError, Generator, type GeneratorState } from '@convoke/core';

import type { Module } from '../module.ts';

export type GeneratorStates = Readonly<Record<string, GeneratorState>>;

/** A module's field that holds a generator. */
interface Place {
  /** Such as `model.dropout.generator`. */
  readonly name: string;
  get(): Generator;
  set(generator: Generator): void;
}

export class ModelGenerators {
  readonly #places: readonly Place[];

  constructor(model: Module) {
    this.#places = [...model.namedModules()].flatMap(([path, module]) => {
      const fields = module as unknown as Record<string, unknown>;
      return Object.entries(fields)
        .filter(([, value]) => value instanceof Generator)
        .map(([field]): Place => ({
          name: ['model', path, field].filter(Boolean).join('.'),
          get: () => fields[field] as Generator,
          set: (generator) => {
            fields[field] = generator;
          },
        }));
    });
  }

  states(): GeneratorStates {
    return Object.fromEntries(this.#places.map(({ name, get }) => [name, get().state()]));
  }

  /** Throws a DataError where `saved` lacks one of the model's generators. */
  expect(saved: GeneratorStates): void {
    for (const { name } of this.#places) {
      if (saved[name]) continue;
      throw new DataError(
        `the checkpoint is of another model: it holds no state of the random generator '${name}'. Resume with the model it was made with, or start afresh in another folder`,
      );
    }
  }

  /** Puts generators in these states; fields that shared a generator share the new one. */
  restore(saved: GeneratorStates): void {
    const replacements = new Map<Generator, Generator>();
    for (const { name, get, set } of this.#places) {
      const generator = get();
      const state = saved[name]!;
      if (canAdvance(generator, state)) advance(generator, state);
      else {
        const replacement = replacements.get(generator) ?? Generator.restore(state);
        replacements.set(generator, replacement);
        set(replacement);
      }
    }
  }

  /** Runs `f` with copies of the generators in these states; the generators themselves do not move. */
  replay<T>(states: GeneratorStates, f: () => T): T {
    const originals = this.#places.map(({ get }) => get());
    const copies = new Map<Generator, Generator>();
    this.#places.forEach(({ name, set }, i) => {
      const copy = copies.get(originals[i]!) ?? Generator.restore(states[name]!);
      copies.set(originals[i]!, copy);
      set(copy);
    });
    try {
      return f();
    } finally {
      this.#places.forEach(({ set }, i) => set(originals[i]!));
    }
  }
}

/** Whether a generator can reach a state by drawing on: whoever else holds it then sees it move too. */
function canAdvance(generator: Generator, { seed, stream, draws }: GeneratorState): boolean {
  return generator.seed === seed && generator.stream === stream && generator.state().draws <= draws;
}

function advance(generator: Generator, { draws }: GeneratorState): void {
  for (let i = generator.state().draws; i < draws; i++) generator.nextKey();
}

/**
 * Takes a fresh generator to where a saved one was. Throws a DataError where it is another generator, or already further on.
 */
export function advanceGenerator(
  name: string,
  generator: Generator,
  saved: GeneratorState | undefined,
): void {
  if (saved && canAdvance(generator, saved)) return advance(generator, saved);
  const { seed, stream, draws } = generator.state();
  const was = saved
    ? `seed ${saved.seed}, stream ${saved.stream}, ${saved.draws} draws`
    : 'nothing';
  throw new DataError(
    `the checkpoint is of another run: for the random generator '${name}' it holds ${was}; the generator given has seed ${seed}, stream ${stream}, ${draws} draws. Resume with a fresh generator of the same seed`,
  );
}
