// One batch through the model and the loss, and what is read of it. All that it makes is freed.

import {
  currentBackend,
  formatShape,
  noGrad,
  scope,
  ShapeError,
  type Backend,
  type Tensor,
} from '@convoke/core';

import type { Loss } from '../losses.ts';
import type { Module } from '../module.ts';
import { batchTensors, expectLabels, type Batch, type BatchPosition } from './batch.ts';

export interface Measured {
  readonly loss: number;
  readonly outputs: ArrayLike<number>;
  readonly outputShape: readonly number[];
}

export interface MeasureOptions {
  readonly at: BatchPosition;
  readonly ignoreIndex: number | undefined;
  /** Gets the loss, with gradients noted, before it is freed. Without it no gradients are noted. */
  readonly backward?: (loss: Tensor) => void;
}

/** Where the model's values are; for one without any, the current backend. */
export function backendOf(model: Module): Backend {
  return model.stateDict().values().next().value?.backend ?? currentBackend();
}

/** The model's outputs for a batch. */
export async function outputsOf(model: Module, batch: Batch): Promise<Omit<Measured, 'loss'>> {
  const { outputs, outputShape } = noGrad(() =>
    scope(() => {
      const result = model.forward(batchTensors(batch, backendOf(model)).inputs);
      return { outputs: result.data(), outputShape: result.shape };
    }),
  );
  return { outputs: await outputs, outputShape };
}

/**
 * Outputs and loss for a batch. Throws a DataError where a label does not fit the outputs, a ShapeError where the loss is no
 * scalar.
 */
export async function measure(
  model: Module,
  lossOf: Loss,
  batch: Batch,
  { at, ignoreIndex, backward }: MeasureOptions,
): Promise<Measured> {
  const run = (): { outputShape: readonly number[]; reads: Promise<ArrayLike<number>>[] } => {
    const { inputs, labels } = batchTensors(batch, backendOf(model));
    const outputs = model.forward(inputs);
    expectLabels(batch, outputs.shape, ignoreIndex, at);
    const loss = lossOf(outputs, labels);
    if (loss.size !== 1) {
      throw new ShapeError(
        `the loss has shape ${formatShape(loss.shape)}; expected a scalar, the mean over the batch`,
      );
    }
    backward?.(loss);
    return { outputShape: outputs.shape, reads: [loss.data(), outputs.data()] };
  };
  const { outputShape, reads } = scope(() => (backward ? run() : noGrad(run)));
  const [loss, outputs] = (await Promise.all(reads)) as [ArrayLike<number>, ArrayLike<number>];
  return { loss: loss[0]!, outputs, outputShape };
}
