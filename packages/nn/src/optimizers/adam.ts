// Adam and AdamW. They differ in what weight decay does: join the gradient, or shrink the parameters.

import { add, div, maximum, mul, scope, sqrt, square, sub } from '@convoke/core';

import { movingAverage } from './formula.ts';
import { fusedStep } from './fused.ts';
import type { ParameterSource } from './groups.ts';
import {
  expectSetting,
  Optimizer,
  type CommonOptions,
  type Entry,
  type Rule,
  type Settings,
} from './optimizer.ts';

export interface AdamOptions extends CommonOptions {
  /** Default 0.001. */
  readonly lr?: number | undefined;
  /** Decay of the mean of gradients; what schedules cycle as momentum. Default 0.9. */
  readonly beta1?: number | undefined;
  /** Decay of the mean of squared gradients. Default 0.999. */
  readonly beta2?: number | undefined;
  /** Added to the root. Default 1e-8. */
  readonly epsilon?: number | undefined;
  /** Divides by the largest mean of squares so far (Reddi et al. 2018, arXiv:1904.09237). Default false. */
  readonly amsgrad?: boolean | undefined;
}

type State = 'exp_avg' | 'exp_avg_sq' | 'max_exp_avg_sq';

function groupBySteps(entries: readonly Entry<State>[]): Map<number, Entry<State>[]> {
  const groups = new Map<number, Entry<State>[]>();
  for (const entry of entries) groups.set(entry.step, [...(groups.get(entry.step) ?? []), entry]);
  return groups;
}

function amsgradStep(
  { parameter, gradient, state }: Entry<State>,
  { lr, beta1, beta2, epsilon, weightDecay }: Settings<AdamOptions>,
  [stepSize, root]: readonly [number, number],
  decoupled: boolean,
): void {
  scope(() => {
    const shrunk =
      decoupled && weightDecay !== 0 ? mul(parameter, 1 - lr * weightDecay) : parameter;
    const decayed =
      decoupled || weightDecay === 0 ? gradient : add(gradient, mul(parameter, weightDecay));
    const mean = movingAverage(state.exp_avg, decayed, beta1);
    const meanSquare = movingAverage(state.exp_avg_sq, square(decayed), beta2);
    const largest = maximum(state.max_exp_avg_sq, meanSquare);
    const scale = add(div(sqrt(largest), root), epsilon);
    parameter.assign(sub(shrunk, mul(div(mean, scale), stepSize)));
    state.exp_avg.assign(mean);
    state.exp_avg_sq.assign(meanSquare);
    state.max_exp_avg_sq.assign(largest);
  });
}

function adamRule(name: string, decoupled: boolean, weightDecay: number): Rule<AdamOptions, State> {
  return {
    name,
    defaults: {
      lr: 1e-3,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      amsgrad: false,
      weightDecay,
      maximize: false,
    },
    momentum: 'beta1',
    check({ beta2, epsilon }) {
      expectSetting(name, 'beta2', beta2, { below: 1 });
      expectSetting(name, 'epsilon', epsilon);
    },
    state: ({ amsgrad }) => ({ exp_avg: 0, exp_avg_sq: 0, ...(amsgrad && { max_exp_avg_sq: 0 }) }),
    update(entries, settings) {
      const { lr, beta1, beta2, epsilon, amsgrad } = settings;
      const attributes = { beta2, epsilon, weightDecay: settings.weightDecay, decoupled };
      for (const [step, list] of groupBySteps(entries)) {
        const corrections = [lr / (1 - beta1 ** step), Math.sqrt(1 - beta2 ** step)] as const;
        if (amsgrad) for (const entry of list) amsgradStep(entry, settings, corrections, decoupled);
        else
          fusedStep(
            'adamStep',
            [lr, ...corrections, beta1],
            list,
            ['exp_avg', 'exp_avg_sq'],
            attributes,
          );
      }
    },
  };
}

const adam = /* @__PURE__ */ adamRule('Adam', false, 0);
const adamW = /* @__PURE__ */ adamRule('AdamW', true, 0.01);

/** Adam (Kingma & Ba 2014, arXiv:1412.6980); weight decay is L2. */
export class Adam extends Optimizer<AdamOptions, State> {
  constructor(parameters: ParameterSource<AdamOptions>, options?: AdamOptions) {
    super(adam, parameters, options);
  }
}

/** Adam with decoupled weight decay (Loshchilov & Hutter 2017, arXiv:1711.05101), 0.01 unless given. */
export class AdamW extends Optimizer<AdamOptions, State> {
  constructor(parameters: ParameterSource<AdamOptions>, options?: AdamOptions) {
    super(adamW, parameters, options);
  }
}
