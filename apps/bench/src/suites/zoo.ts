// Suite `zoo`: whole networks on one image, as they infer.

import { createMeta } from '@convoke/core';
import { createModel, modelInfo } from '@convoke/zoo';

import type { Case } from '../contender.ts';
import { elements } from '../networks/network.ts';
import { uniform } from '../random.ts';
import { networkOutput } from '../reference/network.ts';

export const zooNames: readonly string[] = ['lenet5', 'squeezenet1_1', 'mobilenet_v2', 'resnet18'];

/**
 * Made-up weights under which values keep their size from layer to layer: of a layer with variance 2 / fan-in, of
 * normalisations around 1, their means and all biases around 0.
 */
function weightValues(name: string, shape: readonly number[], seed: number): Float32Array {
  const length = elements(shape);
  if (shape.length > 1) return uniform(length, seed, Math.sqrt((6 * shape[0]!) / length));
  const centre = /\.(?:weight|running_var)$/.test(name) ? 1 : 0;
  return uniform(length, seed, 0.1).map((value) => centre + value);
}

/**
 * The network by name, with its weights and an image as inputs, and what float64 makes of them. Images have the size that the
 * network expects.
 */
export async function zooCase(name: string, signal?: AbortSignal): Promise<Case> {
  const { macs, input } = await modelInfo(name);
  return { ...(await inference(name, input, signal)), flops: 2 * macs };
}

export async function inference(
  name: string,
  input: { readonly channels: number; readonly size: number },
  signal?: AbortSignal,
): Promise<Case> {
  const meta = createMeta();
  const model = (await createModel(name, { backend: meta })).eval();
  const shape = [1, input.channels, input.size, input.size];
  const inputs = new Map<string, Float32Array>();
  for (const [i, [slot, { spec }]] of [...model.stateDict()].entries()) {
    if (spec.dtype === 'float32') inputs.set(slot, weightValues(slot, spec.shape, i + 1));
  }
  const image = uniform(elements(shape), 1000);
  const reference = await networkOutput(model, inputs, { shape, data: image }, signal);
  inputs.set('image', image);
  const work = { kind: 'inference', network: name, shape } as const;
  return { suite: 'zoo', name, work, inputs, reference, flops: null };
}
