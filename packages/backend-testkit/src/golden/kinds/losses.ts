// Losses as golden kinds.

import {
  bceLoss,
  bceWithLogitsLoss,
  crossEntropy,
  huberLoss,
  klDivLoss,
  l1Loss,
  mseLoss,
  nllLoss,
  smoothL1Loss,
  type Tensor,
} from '@convoke/core';

import { flagOf, numberOf, wordOf, type Attributes } from '../attributes.ts';
import type { Inputs, Kind } from '../kind.ts';

function reductionOf(attrs: Attributes): 'mean' | 'sum' | 'none' {
  return wordOf(attrs, 'reduction', ['mean', 'sum', 'none'], 'mean');
}

/** What weighs classes and leaves some out. */
function classOptions(inputs: Inputs, attrs: Attributes) {
  return {
    classWeights: inputs.find('class_weight'),
    ignoreIndex: typeof attrs['ignore_index'] === 'number' ? attrs['ignore_index'] : undefined,
    reduction: reductionOf(attrs),
  };
}

type Loss = (x: Tensor, target: Tensor, attrs: Attributes, inputs: Inputs) => Tensor;

const losses: Record<string, Loss> = {
  mse_loss: (x, target, attrs) => mseLoss(x, target, { reduction: reductionOf(attrs) }),
  l1_loss: (x, target, attrs) => l1Loss(x, target, { reduction: reductionOf(attrs) }),
  smooth_l1_loss: (x, target, attrs) =>
    smoothL1Loss(x, target, { beta: numberOf(attrs, 'beta', 1), reduction: reductionOf(attrs) }),
  huber_loss: (x, target, attrs) =>
    huberLoss(x, target, { delta: numberOf(attrs, 'delta', 1), reduction: reductionOf(attrs) }),
  binary_cross_entropy: (x, target, attrs) => bceLoss(x, target, { reduction: reductionOf(attrs) }),
  binary_cross_entropy_with_logits: (x, target, attrs, inputs) =>
    bceWithLogitsLoss(x, target, {
      posWeight: inputs.find('pos_weight'),
      reduction: reductionOf(attrs),
    }),
  kl_div: (x, target, attrs) =>
    klDivLoss(x, target, {
      logTarget: flagOf(attrs, 'log_target'),
      reduction: wordOf(attrs, 'reduction', ['mean', 'sum', 'none', 'batchmean'], 'mean'),
    }),
  nll_loss: (x, target, attrs, inputs) => nllLoss(x, target, classOptions(inputs, attrs)),
};

export const lossKinds: readonly Kind[] = [
  {
    name: 'cross_entropy',
    attrs: ['label_smoothing', 'reduction'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: crossEntropy(inputs.of('x'), inputs.find('target_probabilities') ?? inputs.of('target'), {
        labelSmoothing: numberOf(attrs, 'label_smoothing', 0),
        ...classOptions(inputs, attrs),
      }),
    }),
  },
  ...Object.entries(losses).map(([name, loss]): Kind => ({
    name,
    attrs: ['op'],
    inputs: ['x', 'target'],
    compute: (inputs, attrs) => ({
      y: loss(inputs.of('x'), inputs.of('target'), attrs, inputs),
    }),
  })),
];
