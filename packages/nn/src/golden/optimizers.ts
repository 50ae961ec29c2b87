// The optimiser that a golden case asks for, from PyTorch's names. An attribute that is not known here is an error: left out,
// the case would be run with other settings than it says.

import { DataError, type Slot } from '@convoke/core';

import {
  Adadelta,
  Adagrad,
  Adam,
  Adamax,
  AdamW,
  NAdam,
  RAdam,
  RMSprop,
  SGD,
} from '../optimizers/index.ts';

export interface GoldenOptimizer {
  step(): void;
  zeroGrad(): void;
  dispose(): void;
}

type Attributes = Readonly<Record<string, unknown>>;
type Maker = (slots: readonly Slot[], options: Record<string, never>) => GoldenOptimizer;

const makers = new Map<string, Maker>([
  ['SGD', (slots, options) => new SGD(slots, options)],
  ['RMSprop', (slots, options) => new RMSprop(slots, options)],
  ['Adam', (slots, options) => new Adam(slots, options)],
  ['AdamW', (slots, options) => new AdamW(slots, options)],
  ['Adagrad', (slots, options) => new Adagrad(slots, options)],
  ['Adadelta', (slots, options) => new Adadelta(slots, options)],
  ['NAdam', (slots, options) => new NAdam(slots, options)],
  ['RAdam', (slots, options) => new RAdam(slots, options)],
  ['Adamax', (slots, options) => new Adamax(slots, options)],
]);

const settings = new Map([
  ['lr', 'lr'],
  ['momentum', 'momentum'],
  ['dampening', 'dampening'],
  ['nesterov', 'nesterov'],
  ['weight_decay', 'weightDecay'],
  ['maximize', 'maximize'],
  ['alpha', 'alpha'],
  ['eps', 'epsilon'],
  ['centered', 'centered'],
  ['amsgrad', 'amsgrad'],
  ['lr_decay', 'lrDecay'],
  ['initial_accumulator_value', 'initialAccumulator'],
  ['rho', 'rho'],
  ['momentum_decay', 'momentumDecay'],
]);

/** How to make the optimiser of `attrs`, or null where its name is not known. */
export function optimizerOf(
  attrs: Attributes,
): ((slots: readonly Slot[]) => GoldenOptimizer) | null {
  const { optimizer, betas, ...rest } = attrs as { optimizer: string; betas?: [number, number] };
  const make = makers.get(optimizer);
  if (!make) return null;
  return (slots) => {
    const options: Record<string, unknown> = {};
    if (betas) [options['beta1'], options['beta2']] = betas;
    for (const [key, value] of Object.entries(rest)) {
      const name = settings.get(key);
      if (!name)
        throw new DataError(
          `the golden optimizer case has an attribute '${key}', which is not known here`,
        );
      options[name] = value;
    }
    return make(slots, options as Record<string, never>);
  };
}
