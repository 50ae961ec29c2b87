// RMSprop: gradients over the root of their running mean square.

import { add, div, maximum, mul, sqrt, square, sub } from '@convoke/core';

import { eachParameter, movingAverage } from './formula.ts';
import type { ParameterSource } from './groups.ts';
import { expectSetting, Optimizer, type CommonOptions, type Rule } from './optimizer.ts';

export interface RMSpropOptions extends CommonOptions {
  /** Default 0.01. */
  readonly lr?: number | undefined;
  /** Decay of the mean of squared gradients. Default 0.99. */
  readonly alpha?: number | undefined;
  /** Added to the root, outside it. Default 1e-8. */
  readonly epsilon?: number | undefined;
  /** Default 0. */
  readonly momentum?: number | undefined;
  /** Divides by the root of the variance instead of the mean square (Graves 2013, arXiv:1308.0850). Default false. */
  readonly centered?: boolean | undefined;
}

type State = 'square_avg' | 'momentum_buffer' | 'grad_avg';

const rule: Rule<RMSpropOptions, State> = {
  name: 'RMSprop',
  defaults: {
    lr: 0.01,
    alpha: 0.99,
    epsilon: 1e-8,
    momentum: 0,
    centered: false,
    weightDecay: 0,
    maximize: false,
  },
  momentum: 'momentum',
  check({ alpha, epsilon }) {
    expectSetting('RMSprop', 'alpha', alpha, { below: 1 });
    expectSetting('RMSprop', 'epsilon', epsilon);
  },
  state: ({ momentum, centered }) => ({
    square_avg: 0,
    ...(momentum !== 0 && { momentum_buffer: 0 }),
    ...(centered && { grad_avg: 0 }),
  }),
  update: eachParameter(({ parameter, gradient, state, settings }) => {
    const { lr, alpha, epsilon, momentum, centered } = settings;
    const meanSquare = movingAverage(state.square_avg, square(gradient), alpha);
    const mean = centered ? movingAverage(state.grad_avg, gradient, alpha) : null;
    // Of a steady gradient the variance is 0; rounding must not take its root below that.
    const spread = mean ? maximum(sub(meanSquare, square(mean)), 0) : meanSquare;
    const scaled = div(gradient, add(sqrt(spread), epsilon));
    const velocity = state.momentum_buffer && add(mul(state.momentum_buffer, momentum), scaled);
    return {
      parameter: sub(parameter, mul(velocity ?? scaled, lr)),
      square_avg: meanSquare,
      ...(velocity && { momentum_buffer: velocity }),
      ...(mean && { grad_avg: mean }),
    };
  }),
};

/** RMSprop (Tieleman & Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"), with PyTorch's formulas. */
export class RMSprop extends Optimizer<RMSpropOptions, State> {
  constructor(parameters: ParameterSource<RMSpropOptions>, options?: RMSpropOptions) {
    super(rule, parameters, options);
  }
}
