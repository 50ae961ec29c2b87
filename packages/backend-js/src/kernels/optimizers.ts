// Optimiser steps over whole lists of parameters. Parameters and states that are donated are updated in place, so that a
// step allocates nothing.

import type { AdamStepAttributes, Data, SgdStepAttributes } from '@convoke/backend-api';

import type { Kernel, Kernels } from '../kernel.ts';

/** The gradient with the parameter's pull to 0. No decay leaves an infinite parameter out of it: 0 times infinity is NaN. */
function decayed(gradient: number, parameter: number, weightDecay: number): number {
  return weightDecay === 0 ? gradient : gradient + weightDecay * parameter;
}

function sgd(p: Data, g: Data, y: Data, lr: number, { weightDecay }: SgdStepAttributes): void {
  for (let i = 0; i < y.length; i++) y[i] = p[i]! - decayed(g[i]!, p[i]!, weightDecay) * lr;
}

function momentumSgd(
  p: Data,
  g: Data,
  v: Data,
  y: Data,
  moved: Data,
  lr: number,
  momentum: number,
  { dampening, nesterov, weightDecay }: SgdStepAttributes,
): void {
  for (let i = 0; i < y.length; i++) {
    const gradient = decayed(g[i]!, p[i]!, weightDecay);
    const velocity = momentum * v[i]! + (1 - dampening) * gradient;
    // Nesterov steps along gradient + momentum * velocity in place of the velocity.
    y[i] = p[i]! - (nesterov ? gradient + momentum * velocity : velocity) * lr;
    moved[i] = velocity;
  }
}

const sgdStep: Kernel<'sgdStep'> = (inputs, attributes, outputs, reuse, arrays) => {
  const data = inputs.map((input) => input.data);
  const lr = data[0]![0]!;
  const { velocity } = attributes;
  const [first, size, results] = velocity ? [2, 3, 2] : [1, 2, 1];
  const count = outputs.length / results;
  const y = Array.from({ length: outputs.length }, (_, output) => {
    const input = first + Math.floor(output / results) * size + (output % results) * 2;
    return reuse[input] ?? arrays.take('float32', data[input]!.length);
  });
  for (let i = 0; i < count; i++) {
    const [p, g, v] = data.slice(first + i * size, first + (i + 1) * size);
    if (velocity) momentumSgd(p!, g!, v!, y[2 * i]!, y[2 * i + 1]!, lr, data[1]![0]!, attributes);
    else sgd(p!, g!, y[i]!, lr, attributes);
  }
  return y;
};

function adam(
  [p, g, m, v]: readonly [Data, Data, Data, Data],
  [y, first, second]: readonly [Data, Data, Data],
  [lr, stepSize, root, beta1]: readonly [number, number, number, number],
  { beta2, epsilon, weightDecay, decoupled }: AdamStepAttributes,
): void {
  const shrink = decoupled ? 1 - lr * weightDecay : 1;
  const joined = decoupled ? 0 : weightDecay;
  for (let i = 0; i < y.length; i++) {
    const gradient = decayed(g[i]!, p[i]!, joined);
    const mean = beta1 * m[i]! + (1 - beta1) * gradient;
    const energy = beta2 * v[i]! + (1 - beta2) * gradient * gradient;
    y[i] = shrink * p[i]! - (mean / (Math.sqrt(energy) / root + epsilon)) * stepSize;
    first[i] = mean;
    second[i] = energy;
  }
}

/** Where parameter, m and v stand among a parameter's four inputs. */
const KEPT = [0, 2, 3] as const;

const adamStep: Kernel<'adamStep'> = (inputs, attributes, outputs, reuse, arrays) => {
  const data = inputs.map((input) => input.data);
  const scalars = [data[0]![0]!, data[1]![0]!, data[2]![0]!, data[3]![0]!] as const;
  const y = outputs.map((_, output) => {
    const input = 4 + Math.floor(output / 3) * 4 + KEPT[output % 3]!;
    return reuse[input] ?? arrays.take('float32', data[input]!.length);
  });
  for (let i = 0; i < outputs.length / 3; i++) {
    adam(
      data.slice(4 + i * 4, 8 + i * 4) as [Data, Data, Data, Data],
      y.slice(i * 3, i * 3 + 3) as [Data, Data, Data],
      scalars,
      attributes,
    );
  }
  return y;
};

export const optimizerKernels: Kernels = { sgdStep, adamStep };
