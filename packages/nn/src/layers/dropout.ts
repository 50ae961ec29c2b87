// Layers that drop something at random in training and pass everything at evaluation. Each draws from a generator of its own,
// which a trainer saves and restores.

import { clone, dropout, mul, scope, type Generator, type Tensor } from '@convoke/core';

import { Module } from '../module.ts';
import { defaultGenerator, fork } from '../random.ts';
import { expectProbability, expectWord, settings } from './config.ts';

export interface DropoutConfig {
  /** Probability that an element becomes 0. Default 0.5. */
  readonly p?: number | undefined;
  /** Default: a new one, seeded from `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

/** In training each element 0 with probability p, or divided by 1 - p (Srivastava et al. 2014). */
export class Dropout extends Module {
  readonly p: number;
  generator: Generator;

  constructor(config: DropoutConfig = {}) {
    super();
    const { p = 0.5, generator = fork(defaultGenerator()) } = config;
    expectProbability('Dropout', p);
    this.p = p;
    this.generator = generator;
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return clone(x);
    return dropout(x, { p: this.p, generator: this.generator });
  }

  protected override describe(): string {
    return settings([], { p: this.p });
  }
}

export interface StochasticDepthConfig {
  /** Probability that a sample (or the whole batch) becomes 0. */
  readonly p: number;
  /** What is dropped together: each sample for itself, or the batch. Default row. */
  readonly mode?: 'row' | 'batch' | undefined;
  /** Default: a new one, seeded from `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

/** In training whole samples 0 with probability p, or divided by 1 - p (Huang et al. 2016, arXiv:1603.09382). */
export class StochasticDepth extends Module {
  readonly p: number;
  readonly mode: 'row' | 'batch';
  generator: Generator;

  constructor(config: StochasticDepthConfig) {
    super();
    const { p, mode = 'row', generator = fork(defaultGenerator()) } = config;
    expectProbability('StochasticDepth', p);
    expectWord('StochasticDepth', 'mode', mode, ['row', 'batch']);
    this.p = p;
    this.mode = mode;
    this.generator = generator;
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.p === 0) return clone(x);
    const survival = 1 - this.p;
    const shape = x.shape.map((length, axis) => (axis === 0 && this.mode === 'row' ? length : 1));
    return scope(() => {
      const kept = this.generator.bernoulli(shape, survival, { backend: x.backend });
      return mul(x, survival === 0 ? kept : mul(kept, 1 / survival));
    });
  }

  protected override describe(): string {
    return settings([], { p: this.p, mode: this.mode });
  }
}
