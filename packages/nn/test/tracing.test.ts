// A whole training step on the recorder: forward, gradients, optimiser and running statistics become one program.

import { js } from '@convoke/backend-js';
import { createRecorder, replay, type Backend, type Program } from '@convoke/backend-api';
import {
  backward,
  crossEntropy,
  Generator,
  memory,
  onBackend,
  register,
  scope,
  Tensor,
  tensor,
  use,
  type Slot,
} from '@convoke/core';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  Adam,
  AdamW,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  NAdam,
  ReLU,
  RMSprop,
  Sequential,
  SGD,
  type Module,
} from '../src/index.ts';

let backend: Backend;

beforeAll(async () => {
  register(js);
  backend = await use('js');
});

function network(): Module {
  const generator = new Generator(3);
  return new Sequential([
    new Conv2d({ inChannels: 1, outChannels: 4, kernelSize: 3, padding: 1, generator }),
    new BatchNorm2d({ channels: 4 }),
    new ReLU(),
    new MaxPool2d({ kernelSize: 2 }),
    new Flatten(),
    new Linear({ inFeatures: 4 * 3 * 3, outFeatures: 3, generator }),
  ]);
}

interface Steps {
  step(): void;
  zeroGrad(): void;
  stateDict(): Map<string, Slot>;
  dispose(): void;
}

const optimizers: Record<string, (slots: readonly Slot[]) => Steps> = {
  SGD: (slots) => new SGD(slots, { lr: 0.1 }),
  'SGD with momentum': (slots) =>
    new SGD(slots, { lr: 0.1, momentum: 0.9, dampening: 0.2, weightDecay: 0.01 }),
  Adam: (slots) => new Adam(slots, { lr: 0.01 }),
  'Adam with amsgrad': (slots) => new Adam(slots, { lr: 0.01, amsgrad: true }),
  AdamW: (slots) => new AdamW(slots, { lr: 0.01 }),
  RMSprop: (slots) => new RMSprop(slots, { lr: 0.01, momentum: 0.9 }),
  NAdam: (slots) => new NAdam(slots, { lr: 0.01 }),
};

function batch(): { images: Tensor; labels: Tensor } {
  const images = new Generator(5).normal([4, 1, 6, 6]);
  return { images, labels: tensor(Int32Array.of(0, 2, 1, 1), { dtype: 'int32' }) };
}

function trainStep(model: Module, optimizer: Steps, images: Tensor, labels: Tensor): Tensor {
  return scope(() => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(images), labels);
    backward(loss);
    optimizer.step();
    return loss;
  });
}

function record(model: Module, optimizer: Steps, images: Tensor, labels: Tensor): Program {
  const recorder = createRecorder();
  const program = scope(() =>
    onBackend(recorder, () => {
      const symbols = [images, labels].map(
        ({ spec }) => new Tensor(recorder, recorder.input(spec)),
      ) as [Tensor, Tensor];
      const loss = trainStep(model, optimizer, ...symbols);
      return recorder.finish([loss.handle]);
    }),
  );
  optimizer.zeroGrad();
  return program;
}

const valuesOf = async (slots: Map<string, Slot>): Promise<Record<string, number[]>> =>
  Object.fromEntries(
    await Promise.all(
      [...slots].map(async ([name, slot]) => [name, Array.from(await slot.data())] as const),
    ),
  );

describe.each(Object.entries(optimizers))('a training step with %s', (_, make) => {
  it('is recorded without running, and replays to the same loss, weights, statistics and state', async () => {
    const { images, labels } = batch();
    const model = network();
    const optimizer = make(model.parameters());
    const slots = new Map([...model.stateDict(), ...optimizer.stateDict()]);

    // The second step, so that the state is not what it starts as.
    trainStep(model, optimizer, images, labels).dispose();
    optimizer.zeroGrad();
    const before = await valuesOf(slots);
    const handlesBefore = memory().handles;
    const program = record(model, optimizer, images, labels);
    expect(await valuesOf(slots)).toEqual(before);
    expect(memory().handles).toBe(handlesBefore);

    const bySlot = new Map([...slots].map(([name, { handle }]) => [handle, name]));
    const [lossHandle, ...updated] = replay(program, backend, [images.handle, labels.handle]);
    const expectedLoss = trainStep(model, optimizer, images, labels);
    expect(await backend.read(lossHandle!)).toEqual(await expectedLoss.data());

    const after = await valuesOf(slots);
    const changed = Object.keys(before).filter(
      (name) => !/step$|mu_product/.test(name) && String(before[name]) !== String(after[name]),
    );
    const names = program.updates.map(({ capture }) =>
      bySlot.get(program.captures[capture]!.handle),
    );
    expect(names.toSorted()).toEqual(changed.toSorted());
    for (const [i, handle] of updated.entries()) {
      expect(Array.from(await backend.read(handle))).toEqual(after[names[i]!]);
    }
    for (const handle of [lossHandle!, ...updated]) backend.release(handle);
    expectedLoss.dispose();
    optimizer.dispose();
    model.dispose();
    images.dispose();
    labels.dispose();
  });
});

it('what is recorded after an update reads the new value', async () => {
  const layer = new Linear({ inFeatures: 2, outFeatures: 1, generator: new Generator(1) });
  const optimizer = new SGD(layer.parameters(), { lr: 0.5 });
  const x = tensor([[1, 2]]);
  const labels = tensor(Int32Array.of(0), { dtype: 'int32' });
  const recorder = createRecorder();
  const program = scope(() =>
    onBackend(recorder, () => {
      const steps = [0, 1].map(() => trainStep(layer, optimizer, x, labels));
      return recorder.finish([...steps, layer.forward(x)].map(({ handle }) => handle));
    }),
  );
  optimizer.zeroGrad();
  const results = replay(program, backend, []);
  for (let step = 0; step < 2; step++) trainStep(layer, optimizer, x, labels).dispose();
  const expected = scope(() => layer.forward(x));
  expect(await backend.read(results[2]!)).toEqual(await expected.data());
  // One update a slot, however often it was assigned to.
  expect(program.updates).toHaveLength(2);
  for (const handle of results) backend.release(handle);
  for (const each of [expected, x, labels]) each.dispose();
  optimizer.dispose();
  layer.dispose();
});
