// Rules that are a formula for one parameter, written in core's ops.

import { add, mul, scope, type Slot, type Tensor } from '@convoke/core';

import type { NumberSlot } from './host-slot.ts';
import type { CommonOptions, Rule, Settings } from './optimizer.ts';

/** What a formula reads: the gradient has its sign and its weight decay already. */
export interface FormulaInput<State extends string, Options> {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly state: Readonly<Record<State, Tensor>>;
  readonly settings: Settings<Options>;
  readonly step: number;
  readonly number: NumberSlot | null;
}

/** New values: the parameter, and every state that the rule keeps. */
export type FormulaOutput<State extends string> = { readonly parameter: Tensor } & Readonly<
  Partial<Record<State, Tensor>>
>;

/** A rule's `update` from a formula for one parameter. Weight decay is L2. */
export function eachParameter<Options extends CommonOptions, State extends string>(
  formula: (input: FormulaInput<State, Options>) => FormulaOutput<State>,
): Rule<Options, State>['update'] {
  return (entries, settings) => {
    const { weightDecay } = settings;
    for (const { parameter, gradient, state, step, number } of entries) {
      scope(() => {
        const decayed = weightDecay === 0 ? gradient : add(gradient, mul(parameter, weightDecay));
        const values = formula({ parameter, gradient: decayed, state, settings, step, number });
        for (const [key, slot] of Object.entries<Slot>(state)) slot.assign(values[key as State]!);
        parameter.assign(values.parameter);
      });
    }
  };
}

/** decay * average + (1 - decay) * value. */
export function movingAverage(average: Tensor, value: Tensor, decay: number): Tensor {
  return add(mul(average, decay), mul(value, 1 - decay));
}
