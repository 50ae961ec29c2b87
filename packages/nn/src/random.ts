// Where initialisers and dropout draw from when they are given no generator. Two networks made one after the other differ;
// the same program gives the same networks every time, unless it asks for another seed.

import { Generator } from '@convoke/core';

let shared: Generator | null = null;

/** The generator used where none is given. Its seed is 0 until `manualSeed`. */
export function defaultGenerator(): Generator {
  return (shared ??= new Generator(0));
}

/**
 * Starts the default generator anew: modules made after it are the same from run to run. `seed` is a whole number in
 * [0, 2^32). For independence of the order in which a program makes its modules, give each network a generator of its own.
 */
export function manualSeed(seed: number): void {
  shared = new Generator(seed);
}

/** A generator of its own, seeded by a draw from `source`: what it gives does not depend on what else is drawn there. */
export function fork(source: Generator): Generator {
  const [seed, stream] = source.nextKey();
  return new Generator(seed! >>> 0, stream! >>> 0);
}
