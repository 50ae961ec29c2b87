// Training steps on a Convoke backend, written with core's ops as a user would.

import {
  add,
  backward,
  batchNormTrain,
  conv2d,
  crossEntropy,
  flatten,
  globalAvgPool2d,
  linear,
  maxPool2d,
  pad,
  parameter,
  relu,
  scope,
  slice,
  tensor,
  type Backend,
  type Slot,
  type Tensor,
} from '@convoke/core';
import { SGD } from '@convoke/nn';

import { shapesOf, type Case, type Task, type TrainingCase } from '../contender.ts';
import { gradientOfStep, type Network } from '../networks/network.ts';
import { blocks } from '../networks/resnet20.ts';

type Parameters = (name: string) => Slot;
type Forward = (x: Tensor, p: Parameters) => Tensor;

function lenet5(x: Tensor, p: Parameters): Tensor {
  x = relu(conv2d(x, p('conv1.weight'), { bias: p('conv1.bias'), padding: 2 }));
  x = maxPool2d(x, { kernelSize: 2 });
  x = relu(conv2d(x, p('conv2.weight'), { bias: p('conv2.bias') }));
  x = flatten(maxPool2d(x, { kernelSize: 2 }));
  x = relu(linear(x, p('fc1.weight'), p('fc1.bias')));
  x = relu(linear(x, p('fc2.weight'), p('fc2.bias')));
  return linear(x, p('fc3.weight'), p('fc3.bias'));
}

function resnet20(x: Tensor, p: Parameters): Tensor {
  const convNorm = (input: Tensor, conv: string, norm: string, stride = 1): Tensor =>
    batchNormTrain(conv2d(input, p(`${conv}.weight`), { stride, padding: 1 }), {
      weight: p(`${norm}.weight`),
      bias: p(`${norm}.bias`),
    }).y;
  x = relu(convNorm(x, 'conv1', 'bn1'));
  for (const { name, inChannels, outChannels, stride } of blocks) {
    const middle = relu(convNorm(x, `${name}.conv1`, `${name}.bn1`, stride));
    const y = convNorm(middle, `${name}.conv2`, `${name}.bn2`);
    const zeros = (outChannels - inChannels) / 2;
    const short =
      stride === 1
        ? x
        : pad(slice(x, { starts: [0, 0, 0, 0], steps: [1, 1, stride, stride] }), {
            padding: [
              [zeros, zeros],
              [0, 0],
              [0, 0],
            ],
          });
    x = relu(add(y, short));
  }
  return linear(flatten(globalAvgPool2d(x)), p('fc.weight'), p('fc.bias'));
}

const networks: Readonly<Record<Network['name'], Forward>> = { lenet5, resnet20 };

export function trainingTask(work: TrainingCase, inputs: Case['inputs'], backend: Backend): Task {
  const { network } = work;
  const shapes = shapesOf(work);
  const slots = new Map(
    Object.entries(network.parameters).map(([name, shape]) => [
      name,
      parameter(tensor(inputs.get(name)!, { shape, backend })),
    ]),
  );
  const optimizer = new SGD([...slots.values()], { lr: network.learningRate });
  const images = tensor(inputs.get('images')!, { shape: shapes['images']!, backend });
  const labels = tensor(Int32Array.from(inputs.get('labels')!), {
    shape: shapes['labels']!,
    dtype: 'int32',
    backend,
  });
  const step = (): void =>
    scope(() => {
      optimizer.zeroGrad();
      const logits = networks[network.name](images, (name) => slots.get(name)!);
      backward(crossEntropy(logits, labels));
      optimizer.step();
    });
  return {
    run: step,
    finish: () => backend.sync(),
    async result() {
      step();
      const after = new Map<string, ArrayLike<number>>();
      for (const [name, slot] of slots) after.set(name, await slot.data());
      return gradientOfStep(network, inputs, (name) => after.get(name)!);
    },
    dispose() {
      optimizer.dispose();
      for (const value of [...slots.values(), images, labels]) value.dispose();
    },
  };
}
