// What a network of any kind must do with its numbers: be saved and loaded, and keep those that are frozen.

import {
  backward,
  crossEntropy,
  Generator,
  scope,
  tensor,
  type Backend,
  type Slot,
} from '@convoke/core';
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

/** Whether a name of the state dict is of a module that holds the one at `path`: such a module does not run before it. */
function holds(name: string, path: string): boolean {
  const owner = name.slice(0, Math.max(name.lastIndexOf('.'), 0));
  return owner === '' || path.startsWith(`${owner}.`);
}

const valuesOf = (name: string, { dtype, shape }: Slot): Float32Array | Int32Array =>
  dtype === 'int32' ? new Int32Array(1) : goldenValues(name, shape, 1);

/** Freezes up to the layer in the middle: all state before it and of it must stay, and the head be trained. */
async function freeze(subject: Subject, backend: Backend): Promise<string | void> {
  // Cross-entropy of a single class would train nothing.
  const numClasses = Math.max(subject.numClasses, 2);
  const model = subject.fill(1, backend, { numClasses }).train();
  try {
    const layers = [...model.namedModules()].filter(
      ([path, module]) => path !== '' && module.ownSlots().size > 0,
    );
    if (layers.length < 2) return 'it has a single layer';
    const [path] = layers[Math.floor((layers.length - 1) / 2)]!;
    freezeUpTo(model, path);
    await step(model, subject, backend);

    const state = [...model.stateDict()];
    const end = state.findLastIndex(([name]) => name.startsWith(`${path}.`)) + 1;
    for (const [name, slot] of state.slice(0, end)) {
      if (holds(name, path)) continue;
      expectSameBits(`${name}, frozen up to ${path}`, await slot.data(), valuesOf(name, slot));
    }
    for (const [leaf, slot] of model.moduleAt(subject.head).namedParameters()) {
      const name = `${subject.head}.${leaf}`;
      const before = valuesOf(name, slot);
      const changed = (await slot.data()).some((value, at) => value !== before[at]);
      expectSame(`whether ${name} is trained`, changed, true);
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
