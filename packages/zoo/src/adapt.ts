// Making a network one's own: another head, frozen layers, weights for other numbers of channels.

import { DataError, type Generator } from '@convoke/core';
import { Conv2d, Linear, type HostTensor, type Module } from '@convoke/nn';

import { modelInfo } from './create.ts';

/**
 * Puts a new layer of `numClasses` outputs in the place of the classifier at `head` (a path, or the name of a network), whose
 * parameters are freed. Linear layers and 1x1 convolutions are known. Throws a DataError for others.
 */
export async function resetHead(
  model: Module,
  head: string,
  {
    numClasses,
    generator,
  }: { readonly numClasses: number; readonly generator?: Generator | undefined },
): Promise<void> {
  const path = model.namedModules().has(head) ? head : (await modelInfo(head)).head;
  const old = model.moduleAt(path);
  const made = newHead(old, path, numClasses, generator);
  const [slot] = old.parameters();
  await made.to(slot!.backend);
  made.train(old.training);
  model.replaceModule(path, made);
  old.dispose();
}

function newHead(
  old: Module,
  path: string,
  numClasses: number,
  generator: Generator | undefined,
): Module {
  if (old instanceof Conv2d)
    return new Conv2d({ ...old.config, outChannels: numClasses, generator });
  if (old instanceof Linear) {
    const [, inFeatures] = old.weight.shape as [number, number];
    return new Linear({ inFeatures, outFeatures: numClasses, bias: old.bias !== null, generator });
  }
  throw new DataError(
    `resetHead: the module at '${path}' is a ${old.constructor.name}; expected a Linear layer or a convolution`,
  );
}

/**
 * Freezes the modules that run before the one at `upTo`, and that one too, batch normalisation's statistics included: children
 * of the model, and children of those, in the order in which they were made. Throws a DataError for a path that is not there.
 */
export function freezeUpTo(model: Module, upTo: string): void {
  model.moduleAt(upTo);
  const freezeBefore = (module: Module, path: string): void => {
    for (const [name, child] of module.namedChildren()) {
      if (path === name || !path.startsWith(`${name}.`)) child.freeze();
      if (path === name) return;
      if (path.startsWith(`${name}.`)) {
        freezeBefore(child, path.slice(name.length + 1));
        return;
      }
    }
  };
  freezeBefore(model, upTo);
}

/**
 * Weights [O, C, kH, kW] of a first convolution for `inChannels` channels instead of C: 1 takes the sum over the channels; more
 * repeat them in turn, scaled by C / inChannels, so that activations keep their size.
 */
export function adaptInputChannels(weight: HostTensor, inChannels: number): HostTensor {
  const [outputs, channels, height, width] = weight.shape as [number, number, number, number];
  if (channels === inChannels) return weight;
  const taps = height * width;
  const data = new Float32Array(outputs * inChannels * taps);
  for (let o = 0; o < outputs; o++) {
    const from = o * channels * taps;
    const to = o * inChannels * taps;
    for (let tap = 0; tap < taps; tap++) {
      if (inChannels === 1) {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += weight.data[from + c * taps + tap]!;
        data[to + tap] = sum;
      } else {
        for (let c = 0; c < inChannels; c++) {
          const value = weight.data[from + (c % channels) * taps + tap]!;
          data[to + c * taps + tap] = (value * channels) / inChannels;
        }
      }
    }
  }
  return { dtype: 'float32', shape: [outputs, inChannels, height, width], data };
}
