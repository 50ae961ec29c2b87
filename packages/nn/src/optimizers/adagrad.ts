// Adagrad and Adadelta: step sizes from the history of squared gradients.

import { add, div, mul, sqrt, square, sub } from '@convoke/core';

import { eachParameter, movingAverage } from './formula.ts';
import type { ParameterSource } from './groups.ts';
import { expectSetting, Optimizer, type CommonOptions, type Rule } from './optimizer.ts';

export interface AdagradOptions extends CommonOptions {
  /** Default 0.01. */
  readonly lr?: number | undefined;
  /** The rate at step k, counted from 0, is lr / (1 + k * lrDecay). Default 0. */
  readonly lrDecay?: number | undefined;
  /** What the sums of squares start at. Default 0. */
  readonly initialAccumulator?: number | undefined;
  /** Added to the root. Default 1e-10. */
  readonly epsilon?: number | undefined;
}

const adagrad: Rule<AdagradOptions, 'sum'> = {
  name: 'Adagrad',
  defaults: {
    lr: 0.01,
    lrDecay: 0,
    initialAccumulator: 0,
    epsilon: 1e-10,
    weightDecay: 0,
    maximize: false,
  },
  check({ lrDecay, initialAccumulator, epsilon }) {
    expectSetting('Adagrad', 'lrDecay', lrDecay);
    expectSetting('Adagrad', 'initialAccumulator', initialAccumulator);
    expectSetting('Adagrad', 'epsilon', epsilon);
  },
  state: ({ initialAccumulator }) => ({ sum: initialAccumulator }),
  update: eachParameter(({ parameter, gradient, state, settings, step }) => {
    const { lr, lrDecay, epsilon } = settings;
    const sum = add(state.sum, square(gradient));
    const rate = lr / (1 + (step - 1) * lrDecay);
    return { parameter: sub(parameter, mul(div(gradient, add(sqrt(sum), epsilon)), rate)), sum };
  }),
};

/** Adagrad (Duchi, Hazan & Singer 2011, JMLR 12), with PyTorch's formulas. */
export class Adagrad extends Optimizer<AdagradOptions, 'sum'> {
  constructor(parameters: ParameterSource<AdagradOptions>, options?: AdagradOptions) {
    super(adagrad, parameters, options);
  }
}

export interface AdadeltaOptions extends CommonOptions {
  /** Scales the step that the method finds. Default 1. */
  readonly lr?: number | undefined;
  /** Decay of both means of squares. Default 0.9. */
  readonly rho?: number | undefined;
  /** Added inside the roots. Default 1e-6. */
  readonly epsilon?: number | undefined;
}

const adadelta: Rule<AdadeltaOptions, 'square_avg' | 'acc_delta'> = {
  name: 'Adadelta',
  defaults: { lr: 1, rho: 0.9, epsilon: 1e-6, weightDecay: 0, maximize: false },
  check({ rho, epsilon }) {
    expectSetting('Adadelta', 'rho', rho, { below: 1 });
    expectSetting('Adadelta', 'epsilon', epsilon);
  },
  state: () => ({ square_avg: 0, acc_delta: 0 }),
  update: eachParameter(({ parameter, gradient, state, settings }) => {
    const { lr, rho, epsilon } = settings;
    const meanSquare = movingAverage(state.square_avg, square(gradient), rho);
    const ratio = div(sqrt(add(state.acc_delta, epsilon)), sqrt(add(meanSquare, epsilon)));
    const delta = mul(ratio, gradient);
    return {
      parameter: sub(parameter, mul(delta, lr)),
      square_avg: meanSquare,
      acc_delta: movingAverage(state.acc_delta, square(delta), rho),
    };
  }),
};

/** Adadelta (Zeiler 2012, arXiv:1212.5701), with PyTorch's formulas. */
export class Adadelta extends Optimizer<AdadeltaOptions, 'square_avg' | 'acc_delta'> {
  constructor(parameters: ParameterSource<AdadeltaOptions>, options?: AdadeltaOptions) {
    super(adadelta, parameters, options);
  }
}
