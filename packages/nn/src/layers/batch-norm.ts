// Batch normalisation with running statistics.

import {
  add,
  batchNorm,
  batchNormTrain,
  buffer,
  cast,
  mul,
  noGrad,
  ones,
  parameter,
  reciprocal,
  scope,
  ShapeError,
  sub,
  zeros,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { Module } from '../module.ts';
import { expectCount, settings } from './config.ts';

export interface BatchNorm2dConfig {
  readonly channels: number;
  /** Share of a batch in the running statistics; null for the average over all batches. Default 0.1. */
  readonly momentum?: number | null | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number | undefined;
  /** Whether a factor and a term are learned. Default true. */
  readonly affine?: boolean | undefined;
  /** Without them, batches are normalised by their own statistics at evaluation too. Default true. */
  readonly trackRunningStats?: boolean | undefined;
}

function expectMomentum(momentum: number | null | undefined): void {
  if (momentum === undefined || momentum === null || (momentum >= 0 && momentum <= 1)) return;
  throw new ShapeError(
    `BatchNorm2d: momentum is the share of a batch in the running statistics, in [0, 1] or null; got ${String(momentum)}`,
  );
}

/**
 * Each channel of [N, C, ...] with mean 0 and variance 1 (Ioffe & Szegedy 2015, arXiv:1502.03167): over the batch in
 * training, by running statistics at evaluation and where frozen. Running variances take the unbiased variance of batches.
 */
export class BatchNorm2d extends Module {
  readonly weight: Slot | null;
  readonly bias: Slot | null;
  readonly runningMean: Slot | null;
  readonly runningVar: Slot | null;
  /** int32, rank 0. */
  readonly numBatchesTracked: Slot | null;
  readonly config: BatchNorm2dConfig;

  constructor(config: BatchNorm2dConfig) {
    super();
    const { channels, momentum, affine = true, trackRunningStats = true } = config;
    expectCount('BatchNorm2d', 'channels', channels);
    expectMomentum(momentum);
    const shape = [channels];
    this.config = config;
    this.weight = affine ? parameter(ones(shape)) : null;
    this.bias = affine ? parameter(zeros(shape)) : null;
    this.runningMean = trackRunningStats ? buffer(zeros(shape)) : null;
    this.runningVar = trackRunningStats ? buffer(ones(shape)) : null;
    this.numBatchesTracked = trackRunningStats ? buffer(zeros([], { dtype: 'int32' })) : null;
  }

  /** In training throws a ShapeError where a channel has one element only. */
  override forward(x: Tensor): Tensor {
    const { runningMean, runningVar } = this;
    const { epsilon } = this.config;
    const affine = { weight: this.weight ?? undefined, bias: this.bias ?? undefined, epsilon };
    const learning = this.training && !this.frozen;
    if (!learning && runningMean && runningVar) {
      return batchNorm(x, { ...affine, mean: runningMean, variance: runningVar });
    }
    return scope(() => {
      const { y, mean, variance } = batchNormTrain(x, affine);
      if (learning) this.#track(mean, variance, x.size / mean.size);
      return y;
    });
  }

  /** `count`: elements a channel. */
  #track(mean: Tensor, variance: Tensor, count: number): void {
    const { runningMean, runningVar, numBatchesTracked } = this;
    if (!runningMean || !runningVar || !numBatchesTracked) return;
    const { momentum = 0.1 } = this.config;
    noGrad(() => {
      numBatchesTracked.assign(add(numBatchesTracked, 1));
      const share = momentum ?? reciprocal(cast(numBatchesTracked, 'float32'));
      const rest = typeof share === 'number' ? 1 - share : sub(1, share);
      const unbiased = mul(variance, count / (count - 1));
      for (const [running, batch] of [
        [runningMean, mean],
        [runningVar, unbiased],
      ] as const) {
        running.assign(add(mul(running, rest), mul(batch, share)));
      }
    });
  }

  protected override stateName(field: string): string {
    const names: Readonly<Record<string, string>> = {
      runningMean: 'running_mean',
      runningVar: 'running_var',
      numBatchesTracked: 'num_batches_tracked',
    };
    return names[field] ?? field;
  }

  /** Files of PyTorch before 0.4.1 have no counts of batches. */
  protected override optionalState(): readonly string[] {
    return this.numBatchesTracked ? ['numBatchesTracked'] : [];
  }

  protected override describe(): string {
    const { channels, ...options } = this.config;
    return settings([channels], options);
  }
}
