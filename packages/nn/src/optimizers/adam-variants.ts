// NAdam, RAdam and Adamax: Adam with Nesterov's momentum, with a rectified start, and with the infinity norm.

import { abs, add, div, maximum, mul, sqrt, square, sub } from '@convoke/core';

import { eachParameter, movingAverage } from './formula.ts';
import type { ParameterSource } from './groups.ts';
import { expectSetting, Optimizer, type CommonOptions, type Rule } from './optimizer.ts';

export interface AdamVariantOptions extends CommonOptions {
  /** Default 0.002; 0.001 in RAdam. */
  readonly lr?: number | undefined;
  /** Decay of the mean of gradients; what schedules cycle as momentum. Default 0.9. */
  readonly beta1?: number | undefined;
  /** Decay of the mean of squared gradients (of the largest gradient in Adamax). Default 0.999. */
  readonly beta2?: number | undefined;
  /** Default 1e-8. */
  readonly epsilon?: number | undefined;
}

export interface NAdamOptions extends AdamVariantOptions {
  /** How fast the momentum's schedule rises to beta1. Default 0.004. */
  readonly momentumDecay?: number | undefined;
}

const defaults = {
  lr: 2e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maximize: false,
};

function check(name: string): (settings: { beta2: number; epsilon: number }) => void {
  return ({ beta2, epsilon }) => {
    expectSetting(name, 'beta2', beta2, { below: 1 });
    expectSetting(name, 'epsilon', epsilon);
  };
}

type Moments = 'exp_avg' | 'exp_avg_sq';

const nadam: Rule<NAdamOptions, Moments> = {
  name: 'NAdam',
  defaults: { ...defaults, momentumDecay: 4e-3 },
  momentum: 'beta1',
  check(settings) {
    check('NAdam')(settings);
    expectSetting('NAdam', 'momentumDecay', settings.momentumDecay);
  },
  state: () => ({ exp_avg: 0, exp_avg_sq: 0 }),
  number: { name: 'mu_product', initial: 1 },
  update: eachParameter(({ parameter, gradient, state, settings, step, number }) => {
    const { lr, beta1, beta2, epsilon, momentumDecay } = settings;
    const muAt = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    const mu = muAt(step);
    const muNext = muAt(step + 1);
    const muProduct = (number!.value *= mu);
    const mean = movingAverage(state.exp_avg, gradient, beta1);
    const meanSquare = movingAverage(state.exp_avg_sq, square(gradient), beta2);
    const scale = add(sqrt(div(meanSquare, 1 - beta2 ** step)), epsilon);
    const now = mul(div(gradient, scale), (lr * (1 - mu)) / (1 - muProduct));
    // PyTorch 1.13, the reference of this library's numbers, has mu twice in this product; PyTorch 2 has it once.
    const ahead = mul(div(mean, scale), (lr * muNext) / (1 - muProduct * mu * muNext));
    return { parameter: sub(sub(parameter, now), ahead), exp_avg: mean, exp_avg_sq: meanSquare };
  }),
};

/** NAdam (Dozat 2016, ICLR workshop), with PyTorch 1.13's formulas. */
export class NAdam extends Optimizer<NAdamOptions, Moments> {
  constructor(parameters: ParameterSource<NAdamOptions>, options?: NAdamOptions) {
    super(nadam, parameters, options);
  }
}

const radam: Rule<AdamVariantOptions, Moments> = {
  name: 'RAdam',
  defaults: { ...defaults, lr: 1e-3 },
  momentum: 'beta1',
  check: check('RAdam'),
  state: () => ({ exp_avg: 0, exp_avg_sq: 0 }),
  update: eachParameter(({ parameter, gradient, state, settings, step }) => {
    const { lr, beta1, beta2, epsilon } = settings;
    const mean = movingAverage(state.exp_avg, gradient, beta1);
    const meanSquare = movingAverage(state.exp_avg_sq, square(gradient), beta2);
    const stepSize = lr / (1 - beta1 ** step);
    const correction = 1 - beta2 ** step;
    const limit = 2 / (1 - beta2) - 1;
    const length = limit - (2 * step * beta2 ** step) / correction;
    // While the variance cannot be estimated yet, the step is that of plain momentum.
    const move =
      length > 5
        ? mul(
            div(mean, add(sqrt(meanSquare), epsilon)),
            stepSize *
              Math.sqrt(correction) *
              Math.sqrt(
                ((length - 4) * (length - 2) * limit) / ((limit - 4) * (limit - 2) * length),
              ),
          )
        : mul(mean, stepSize);
    return { parameter: sub(parameter, move), exp_avg: mean, exp_avg_sq: meanSquare };
  }),
};

/** RAdam (Liu et al. 2019, arXiv:1908.03265), with PyTorch's formulas. */
export class RAdam extends Optimizer<AdamVariantOptions, Moments> {
  constructor(parameters: ParameterSource<AdamVariantOptions>, options?: AdamVariantOptions) {
    super(radam, parameters, options);
  }
}

const adamax: Rule<AdamVariantOptions, 'exp_avg' | 'exp_inf'> = {
  name: 'Adamax',
  defaults,
  momentum: 'beta1',
  check: check('Adamax'),
  state: () => ({ exp_avg: 0, exp_inf: 0 }),
  update: eachParameter(({ parameter, gradient, state, settings, step }) => {
    const { lr, beta1, beta2, epsilon } = settings;
    const mean = movingAverage(state.exp_avg, gradient, beta1);
    const largest = maximum(mul(state.exp_inf, beta2), add(abs(gradient), epsilon));
    const move = mul(div(mean, largest), lr / (1 - beta1 ** step));
    return { parameter: sub(parameter, move), exp_avg: mean, exp_inf: largest };
  }),
};

/** Adamax (Kingma & Ba 2014, arXiv:1412.6980, section 7.1), with PyTorch's formulas. */
export class Adamax extends Optimizer<AdamVariantOptions, 'exp_avg' | 'exp_inf'> {
  constructor(parameters: ParameterSource<AdamVariantOptions>, options?: AdamVariantOptions) {
    super(adamax, parameters, options);
  }
}
