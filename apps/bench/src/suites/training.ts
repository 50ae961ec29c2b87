// Suite `training`: whole steps (forward, backward, update by plain gradient descent), and how long they take.

import type { Case } from '../contender.ts';
import { lenet5 } from '../networks/lenet5.ts';
import { elements, type Network } from '../networks/network.ts';
import { resnet20 } from '../networks/resnet20.ts';
import { uniform } from '../random.ts';
import { lenet5Gradient } from '../reference/lenet5.ts';
import { resnet20Gradient } from '../reference/resnet20.ts';

const works: Readonly<Record<string, { readonly network: Network; readonly batch: number }>> = {
  'lenet5-b64': { network: lenet5, batch: 64 },
  'resnet20-b32': { network: resnet20, batch: 32 },
};

const gradients = { lenet5: lenet5Gradient, resnet20: resnet20Gradient };

/**
 * He initialisation, scales of normalisations around 1. Two things are not as one would begin a training, for the check against
 * float64 to be sharp: biases of normalisations are around 2, so that few inputs of a relu are so near 0 that rounding takes them
 * to the other side, where the gradient jumps; and ResNet-20's last layer has five times the usual weights, so that its gradients
 * do not hide those of the convolutions.
 */
function initialValues(name: string, shape: readonly number[], seed: number): Float32Array {
  const length = elements(shape);
  const isNormalization = /bn\d\.\w+$/.test(name);
  if (shape.length === 1) {
    const centre = isNormalization ? (name.endsWith('.weight') ? 1 : 2) : 0;
    return uniform(length, seed, 0.1).map((value) => centre + value);
  }
  const gain = name === 'fc.weight' ? 5 : 1;
  return uniform(length, seed, gain * Math.sqrt((6 * shape[0]!) / length));
}

/** A step of a network on a batch of images and labels that are made up. */
export function trainingStep(name: string, network: Network, batch: number): Case {
  const { parameters, channels, imageSize, classes } = network;
  const inputs = new Map(
    Object.entries(parameters).map(([parameter, shape], i) => [
      parameter,
      initialValues(parameter, shape, i + 1),
    ]),
  );
  const images = uniform(batch * channels * imageSize ** 2, 100).map((v) => Math.max(0, v));
  const labels = Float32Array.from({ length: batch }, (_, i) => (i * 7) % classes);
  const reference = gradients[network.name](images, labels, inputs);
  inputs.set('images', images).set('labels', labels);
  const work = { kind: 'training', network, batch } as const;
  return { suite: 'training', name, work, inputs, reference, flops: null };
}

export const trainingNames: readonly string[] = Object.keys(works);

export function trainingCase(name: string): Case {
  const { network, batch } = works[name]!;
  return trainingStep(name, network, batch);
}
