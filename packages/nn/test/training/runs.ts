// A small problem that the training tests learn: which quarter of the plane a point lies in, from noisy copies of it.

import { Generator } from '@convoke/core';

import {
  BatchNorm2d,
  Dropout,
  Linear,
  ReLU,
  Sequential,
  type Batch,
  type BatchSource,
  type Checkpoint,
  type CheckpointStore,
  type HostTensors,
  type Module,
} from '../../src/index.ts';

export const FEATURES = 6;
export const CLASSES = 4;

/** Batches in an order of their own each epoch, from any batch on. */
export async function quarters(options: {
  samples: number;
  batchSize: number;
  seed?: number;
}): Promise<BatchSource> {
  const { samples, batchSize, seed = 1 } = options;
  const generator = new Generator(seed);
  const drawn = generator.normal([samples, FEATURES]);
  const points = await drawn.data();
  drawn.dispose();
  const label = (i: number): number =>
    (points[i * FEATURES]! > 0 ? 1 : 0) + (points[i * FEATURES + 1]! > 0 ? 2 : 0);
  const batchesPerEpoch = Math.ceil(samples / batchSize);
  return {
    batchesPerEpoch,
    *epoch(epoch, startBatch = 0): Iterable<Batch> {
      for (let batch = startBatch; batch < batchesPerEpoch; batch++) {
        const start = batch * batchSize;
        const count = Math.min(batchSize, samples - start);
        const order = Array.from({ length: count }, (_, i) => (start + i + epoch * 7) % samples);
        yield {
          inputs: Float32Array.from(
            order.flatMap((i) => Array.from(points.slice(i * FEATURES, (i + 1) * FEATURES))),
          ),
          inputShape: [count, FEATURES],
          labels: Int32Array.from(order, label),
        };
      }
    },
  };
}

/** With everything that has state: running statistics, random masks. */
export function network(seed = 3): Sequential {
  const generator = new Generator(seed);
  return new Sequential({
    fc1: new Linear({ inFeatures: FEATURES, outFeatures: 16, generator }),
    norm: new BatchNorm2d({ channels: 16 }),
    relu: new ReLU(),
    drop: new Dropout({ p: 0.1, generator: new Generator(seed, 1) }),
    fc2: new Linear({ inFeatures: 16, outFeatures: CLASSES, generator }),
  });
}

export async function valuesOf(model: Module): Promise<Record<string, number[]>> {
  const values: Record<string, number[]> = {};
  for (const [name, slot] of model.stateDict()) values[name] = Array.from(await slot.data());
  return values;
}

/** Keeps every checkpoint that was saved, as what a file would give back. */
export class MemoryStore implements CheckpointStore {
  readonly saved: Checkpoint[] = [];
  best: { model: HostTensors; epoch: number } | null = null;

  constructor(...saved: Checkpoint[]) {
    this.saved.push(...saved);
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  save({ state, tensors }: Checkpoint): Promise<void> {
    this.saved.push({ state: JSON.parse(JSON.stringify(state)) as Checkpoint['state'], tensors });
    return Promise.resolve();
  }

  saveBest(model: HostTensors, { epoch }: { epoch: number }): Promise<void> {
    this.best = { model, epoch };
    return Promise.resolve();
  }

  load(): Promise<Checkpoint | null> {
    return Promise.resolve(this.saved.at(-1) ?? null);
  }
}

/** The same batch over and over. */
export function repeating(batch: Batch, batchesPerEpoch = 2): BatchSource {
  return {
    batchesPerEpoch,
    *epoch(_, start = 0) {
      for (let i = start; i < batchesPerEpoch; i++) yield batch;
    },
  };
}

/** One batch, all of whose inputs are the same. */
export const labelled = (labels: readonly number[]): Batch => ({
  inputs: new Float32Array(labels.length * FEATURES).fill(0.5),
  inputShape: [labels.length, FEATURES],
  labels: Int32Array.from(labels),
});
