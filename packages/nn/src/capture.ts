// Outputs of modules inside a network: features for transfer, for style, for looking at.

import { DataError, keep, reshape, scope, type Tensor } from '@convoke/core';

import type { Module } from './module.ts';
import { watchForward } from './watch.ts';

export interface Captured {
  readonly output: Tensor;
  /** By path, in the order in which they were made; of a module that runs twice, its last output. */
  readonly taps: ReadonlyMap<string, Tensor>;
}

/**
 * Runs the model and gives, besides its output, those of the modules at `paths`, such as `features.10` or `layer2`. They can be
 * differentiated, belong to no scope, and are the caller's to dispose. Throws a DataError where there is no such module, or it
 * does not run.
 */
export function captureOutputs(model: Module, x: Tensor, paths: readonly string[]): Captured {
  const wanted = new Set(paths.map((path) => (model.moduleAt(path), path)));
  const taps = new Map<string, Tensor>();
  const output = scope(() => {
    const result = watchForward(
      model,
      (name, _, run) => {
        const y = run();
        if (wanted.has(name)) {
          taps.get(name)?.dispose();
          // A tensor of its own: the module's output may be the model's too.
          taps.set(name, keep(reshape(y, y.shape)));
        }
        return y;
      },
      () => model.forward(x),
    );
    const silent = paths.find((path) => !taps.has(path));
    if (silent === undefined) return result;
    for (const tap of taps.values()) tap.dispose();
    throw new DataError(
      `captureOutputs: the module at '${silent}' does not run in forward (a part for training only?); choose among those that do`,
    );
  });
  return { output, taps };
}
