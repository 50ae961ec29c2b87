// Logits and outputs of stages, at evaluation, and of auxiliary classifiers, in training.

import { currentBackend, noGrad, scope, tensor, type Backend } from '@convoke/core';
import { BatchNorm2d, captureOutputs, Dropout, StochasticDepth, type Module } from '@convoke/nn';

import type { WithAuxiliary } from '../architecture.ts';
import {
  compareCheckpoint,
  compareOutput,
  sharesOf,
  type Deviation,
  type Precision,
} from './compare.ts';
import type { GoldenAuxiliary, GoldenNetworkCase } from './files.ts';
import { goldenValues } from './values.ts';

/** Runs a case on a model that `fillWithGolden` has filled, in evaluation mode: logits first, then each stage. */
export async function runGoldenCase(
  model: Module,
  { input, output, checkpoints }: GoldenNetworkCase,
  precision: Precision = 'strict',
  backend: Backend = currentBackend(),
): Promise<Deviation[]> {
  const shares = sharesOf(backend, precision);
  const paths = checkpoints.map(({ module }) => module);
  const pending = scope(() =>
    noGrad(() => {
      const x = tensor(goldenValues(input.name, input.shape, 1), { shape: input.shape, backend });
      const { output: y, taps } = captureOutputs(model, x, paths);
      const stages = checkpoints.map((checkpoint) => {
        const tap = taps.get(checkpoint.module)!;
        const stage = { checkpoint, shape: tap.shape, data: tap.data() };
        tap.dispose();
        return stage;
      });
      return { y: y.data(), stages };
    }),
  );
  const deviations = [compareOutput('logits', await pending.y, output, shares)];
  for (const { checkpoint, shape, data } of pending.stages) {
    const stage = { shape, data: await data };
    deviations.push(compareCheckpoint(stage, checkpoint, output, shares));
  }
  return deviations;
}

/** Training mode without what drops at random. */
export function trainWithoutDropout(model: Module): void {
  model.train();
  for (const module of model.namedModules().values()) {
    if (module instanceof Dropout || module instanceof StochasticDepth) module.eval();
  }
}

/** The logits and those of auxiliary classifiers, of a model that `fillWithGolden` has filled. Changes its running statistics. */
export async function runGoldenAuxiliary(
  model: Module,
  { input, modes }: GoldenAuxiliary,
  precision: Precision = 'strict',
  backend: Backend = currentBackend(),
): Promise<Deviation[]> {
  const shares = sharesOf(backend, precision);
  const deviations: Deviation[] = [];
  // The one that leaves the running statistics alone comes first.
  for (const mode of ['bn_eval', 'bn_train'] as const) {
    trainWithoutDropout(model);
    for (const module of model.namedModules().values()) {
      if (module instanceof BatchNorm2d) module.training = mode === 'bn_train';
    }
    const outputs = scope(() =>
      noGrad(() => {
        const { name, shape } = input;
        const x = tensor(goldenValues(name, shape, 1), { shape, backend });
        return (model as WithAuxiliary).forwardWithAuxiliary(x).map((y) => y.data());
      }),
    );
    // In the order of ours: torchvision 0.14 gives the first auxiliary classifier's logits the name of the second's.
    const goldens = Object.entries(modes[mode]);
    for (const [i, [name, golden]] of goldens.entries()) {
      deviations.push(compareOutput(`${name} of ${mode}`, await outputs[i]!, golden, shares));
    }
  }
  return deviations;
}
