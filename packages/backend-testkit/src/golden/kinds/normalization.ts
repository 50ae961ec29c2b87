// Normalisation as golden kinds. Running statistics are updated here as PyTorch does it: with the unbiased variance.

import {
  add,
  batchNorm,
  batchNormTrain,
  groupNorm,
  layerNorm,
  localResponseNorm,
  mul,
  ones,
  permute,
  zeros,
  type Tensor,
} from '@convoke/core';

import { flagOf, numberOf, numbersOf, type Attributes } from '../attributes.ts';
import type { GoldenCase, GoldenTensor } from '../case.ts';
import type { Inputs, Kind } from '../kind.ts';

interface Statistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

function affine(inputs: Inputs, attrs: Attributes) {
  return {
    weight: inputs.find('weight'),
    bias: inputs.find('bias'),
    epsilon: numberOf(attrs, 'eps', 1e-5),
  };
}

function blend(old: Tensor, fresh: Tensor, momentum: number): Tensor {
  return add(mul(old, 1 - momentum), mul(fresh, momentum));
}

/** One batch in training mode, `[N, C, ...]`. */
function trainStep(
  x: Tensor,
  inputs: Inputs,
  attrs: Attributes,
  running: Statistics,
  momentum: number,
) {
  const { y, mean, variance } = batchNormTrain(x, affine(inputs, attrs));
  const count = x.size / x.shape[1]!;
  return {
    y,
    running: {
      mean: blend(running.mean, mean, momentum),
      variance: blend(running.variance, mul(variance, count / (count - 1)), momentum),
    },
  };
}

type Step = Readonly<Record<string, GoldenTensor>>;

function stepsOf({ steps }: GoldenCase): readonly Step[] {
  return Array.isArray(steps) ? (steps as readonly Step[]) : [];
}

/** Batches x0, x1, ... one after another, statistics kept between them; without a momentum their plain average. */
function cumulative(
  inputs: Inputs,
  attrs: Attributes,
  goldenCase: GoldenCase,
): Record<string, Tensor> {
  const channels = inputs.of('x0').shape[1]!;
  let running: Statistics = {
    mean: inputs.find('running_mean') ?? zeros([channels]),
    variance: inputs.find('running_var') ?? ones([channels]),
  };
  const results: Record<string, Tensor> = {};
  for (const k of stepsOf(goldenCase).keys()) {
    const momentum = numberOf(attrs, 'momentum', 1 / (k + 1));
    const step = trainStep(inputs.of(`x${k}`), inputs, attrs, running, momentum);
    running = step.running;
    results[`steps[${k}].y`] = step.y;
    results[`steps[${k}].running_mean`] = running.mean;
    results[`steps[${k}].running_var`] = running.variance;
  }
  return results;
}

export const normalizationKinds: readonly Kind[] = [
  {
    name: 'batch_norm (cumulative)',
    attrs: ['eps', 'momentum', 'training'],
    inputs: ['x0'],
    when: (goldenCase) => stepsOf(goldenCase).length > 0,
    expected: (goldenCase) =>
      Object.fromEntries(
        stepsOf(goldenCase).flatMap((step, k) =>
          Object.entries(step).map(([name, tensor]) => [`steps[${k}].${name}`, tensor]),
        ),
      ),
    compute: cumulative,
  },
  {
    name: 'batch_norm',
    attrs: ['eps', 'training'],
    inputs: ['x', 'running_mean', 'running_var'],
    compute: (inputs, attrs) => {
      const x = inputs.of('x');
      const running = { mean: inputs.of('running_mean'), variance: inputs.of('running_var') };
      const step = flagOf(attrs, 'training')
        ? trainStep(x, inputs, attrs, running, numberOf(attrs, 'momentum', 1))
        : { y: batchNorm(x, { ...affine(inputs, attrs), ...running }), running };
      return {
        y: step.y,
        running_mean_after: step.running.mean,
        running_var_after: step.running.variance,
      };
    },
  },
  {
    name: 'layer_norm',
    attrs: ['eps', 'normalized_shape'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: layerNorm(inputs.of('x'), {
        normalizedShape: numbersOf(attrs, 'normalized_shape'),
        ...affine(inputs, attrs),
      }),
    }),
  },
  {
    // ConvNeXt's: over the channels of [N, C, H, W].
    name: 'layer_norm (channels first)',
    attrs: ['eps', 'channels_first'],
    inputs: ['x'],
    compute: (inputs, attrs) => {
      const channelsLast = permute(inputs.of('x'), [0, 2, 3, 1]);
      const normalizedShape = channelsLast.shape.slice(-1);
      const y = layerNorm(channelsLast, { normalizedShape, ...affine(inputs, attrs) });
      return { y: permute(y, [0, 3, 1, 2]) };
    },
  },
  {
    name: 'group_norm',
    attrs: ['eps', 'groups'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: groupNorm(inputs.of('x'), { groups: numberOf(attrs, 'groups'), ...affine(inputs, attrs) }),
    }),
  },
  {
    name: 'local_response_norm',
    attrs: ['size', 'alpha', 'beta', 'k'],
    inputs: ['x'],
    compute: (inputs, attrs) => ({
      y: localResponseNorm(inputs.of('x'), {
        size: numberOf(attrs, 'size'),
        alpha: numberOf(attrs, 'alpha', 1e-4),
        beta: numberOf(attrs, 'beta', 0.75),
        k: numberOf(attrs, 'k', 1),
      }),
    }),
  },
];
