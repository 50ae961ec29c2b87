// What a network of any kind must do with its numbers: be saved and loaded, and keep those that are frozen.

import { backward, crossEntropy, Generator, scope, tensor, type Backend } from '@convoke/core';
import { SGD, type HostTensor, type Module } from '@convoke/nn';
import { parseSafetensors, serializeSafetensors, toHostTensors } from '@convoke/weights';

import { freezeUpTo } from '../adapt.ts';
import { goldenValues } from '../golden/values.ts';
import { expectSame, expectSameBits } from './expect.ts';
import type { Check } from './golden.ts';
import type { Subject } from './subject.ts';

/** Puts zeros in every slot. */
function clear(model: Module, backend: Backend): Module {
  for (const slot of model.stateDict().values()) {
    const data = slot.dtype === 'int32' ? Int32Array : Float32Array;
    slot.moveTo(backend, backend.upload(slot.spec, new data(slot.size)));
  }
  return model;
}

async function saveAndLoad(subject: Subject, backend: Backend): Promise<void> {
  const saved = subject.fill(1, backend);
  const loaded = clear(subject.build(), backend);
  try {
    const tensors = new Map<string, HostTensor>();
    for (const [name, slot] of saved.stateDict()) {
      const { dtype, shape } = slot;
      tensors.set(name, { dtype, shape, data: await slot.data() });
    }
    const file = await parseSafetensors(serializeSafetensors(tensors));
    loaded.loadStateDict(toHostTensors(file.tensors));
    for (const [name, slot] of loaded.stateDict()) {
      expectSameBits(name, await slot.data(), tensors.get(name)!.data);
    }
  } finally {
    saved.dispose();
    loaded.dispose();
  }
}

/** One step of gradient descent on random images, of 32 pixels where the network takes so few. */
async function step(model: Module, { input }: Subject, backend: Backend): Promise<void> {
  const size = input.minSize === undefined ? input.size : Math.max(input.minSize, 32);
  const shape = [2, input.channels, size, size];
  const optimizer = new SGD(model.parameters(), { lr: 1e-3 });
  scope(() => {
    const x = new Generator(1).normal(shape, { backend });
    const labels = tensor(Int32Array.of(0, 1), { dtype: 'int32', backend });
    backward(crossEntropy(model.forward(x), labels));
    optimizer.step();
  });
  optimizer.dispose();
  await backend.sync();
}

/** Freezes up to the layer in the middle: all state before it and of it must stay, and the head be trained. */
async function freeze(subject: Subject, backend: Backend): Promise<void> {
  // Cross-entropy of a single class would train nothing.
  const numClasses = Math.max(subject.numClasses, 2);
  const model = subject.fill(1, backend, { numClasses }).train();
  try {
    const layers = [...model.namedModules()].filter(([, module]) => module.ownSlots().size > 0);
    const [path] = layers[Math.floor((layers.length - 1) / 2)]!;
    freezeUpTo(model, path);
    const state = [...model.stateDict()];
    const end = state.findLastIndex(([name]) => name.startsWith(`${path}.`)) + 1;
    await step(model, subject, backend);
    for (const [i, [name, slot]] of state.entries()) {
      const trained = i >= end && name.startsWith(`${subject.head}.`) && slot.isParameter;
      if (i >= end && !trained) continue;
      const before = slot.dtype === 'int32' ? new Int32Array(1) : goldenValues(name, slot.shape, 1);
      const after = await slot.data();
      if (i < end) expectSameBits(`${name}, frozen up to ${path}`, after, before);
      else {
        const changed = after.some((value, at) => value !== before[at]);
        expectSame(`whether ${name} is trained`, changed, true);
      }
    }
  } finally {
    model.dispose();
  }
}

export function numberChecks(subject: Subject, backend: () => Backend): Check[] {
  return [
    {
      name: 'is saved and loaded to the bit',
      run: async () => saveAndLoad(subject, backend()),
    },
    {
      name: 'keeps what is frozen, statistics too, and trains its head',
      run: async () => freeze(subject, backend()),
    },
  ];
}
