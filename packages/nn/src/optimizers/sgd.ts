// Stochastic gradient descent with momentum.

import { DataError } from '@convoke/core';

import { fusedStep } from './fused.ts';
import type { ParameterSource } from './groups.ts';
import { Optimizer, type CommonOptions, type Entry, type Rule } from './optimizer.ts';

export interface SGDOptions extends CommonOptions {
  /** Default 0.001. */
  readonly lr?: number | undefined;
  /** velocity = momentum * velocity + (1 - dampening) * gradient. Default 0. */
  readonly momentum?: number | undefined;
  /** Default 0. The first gradient becomes the velocity undampened. */
  readonly dampening?: number | undefined;
  /** Looks ahead along the velocity (Sutskever et al. 2013, in PyTorch's form). Default false. */
  readonly nesterov?: boolean | undefined;
}

type State = 'momentum_buffer';

const rule: Rule<SGDOptions, State> = {
  name: 'SGD',
  defaults: {
    lr: 1e-3,
    momentum: 0,
    dampening: 0,
    nesterov: false,
    weightDecay: 0,
    maximize: false,
  },
  momentum: 'momentum',
  check({ momentum, dampening, nesterov }) {
    if (!Number.isFinite(dampening)) {
      throw new DataError(`SGD: dampening must be a finite number, got ${dampening}`);
    }
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new DataError(
        `SGD: nesterov needs a momentum above 0 and no dampening, got momentum ${momentum} and dampening ${dampening}`,
      );
    }
  },
  state: ({ momentum }) => (momentum === 0 ? {} : { momentum_buffer: 0 }),
  update(entries, settings) {
    const { lr, momentum, dampening, nesterov, weightDecay } = settings;
    const update = (list: readonly Entry<State>[], damped: number): void => {
      const states: State[] = momentum === 0 ? [] : ['momentum_buffer'];
      const velocity = momentum !== 0;
      fusedStep('sgdStep', velocity ? [lr, momentum] : [lr], list, states, {
        velocity,
        dampening: damped,
        nesterov,
        weightDecay,
      });
    };
    if (dampening === 0) return update(entries, 0);
    update(
      entries.filter(({ step }) => step === 1),
      0,
    );
    update(
      entries.filter(({ step }) => step > 1),
      dampening,
    );
  },
};

/** Stochastic gradient descent, with PyTorch's formulas. */
export class SGD extends Optimizer<SGDOptions, State> {
  constructor(parameters: ParameterSource<SGDOptions>, options?: SGDOptions) {
    super(rule, parameters, options);
  }
}
