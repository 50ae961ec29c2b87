// A Convoke backend as a contender. Runs are enqueued one after another; a sample waits for the last.

import {
  abs,
  batchNorm,
  conv2d,
  gelu,
  matmul,
  neg,
  scope,
  softmax,
  tensor,
  type Backend,
  type Tensor,
} from '@convoke/core';

import { shapesOf, type Case, type Contender, type KernelCase, type Task } from '../contender.ts';
import { inferenceTask } from './convoke-inference.ts';
import { trainingTask } from './convoke-training.ts';

type Inputs = ReadonlyMap<string, Tensor>;

function compute(work: KernelCase, inputs: Inputs): Tensor {
  const input = (name: string): Tensor => inputs.get(name)!;
  switch (work.kind) {
    case 'gemm':
      return matmul(input('a'), input('b'));
    case 'conv':
      return conv2d(input('x'), input('weight'), { stride: work.stride, padding: work.padding });
    case 'depthwise':
      return conv2d(input('x'), input('weight'), {
        padding: work.kernelSize >> 1,
        groups: work.channels,
      });
    case 'block':
      return scope(() => {
        const wide = conv2d(input('x'), input('expand'), {
          bias: input('expandBias'),
          activation: 'relu6',
        });
        const mixed = conv2d(wide, input('depthwise'), {
          bias: input('depthwiseBias'),
          padding: 1,
          groups: work.expanded,
          activation: 'relu6',
        });
        return conv2d(mixed, input('project'), { bias: input('projectBias') });
      });
    case 'elementwise':
      return gelu(input('x'), { approximate: 'tanh' });
    case 'softmax':
      return softmax(input('x'));
    case 'batchnorm':
      return batchNorm(input('x'), {
        weight: input('weight'),
        bias: input('bias'),
        mean: input('mean'),
        variance: input('variance'),
      });
    case 'chain':
      return chain(input('x'), work.ops);
    default:
      return work satisfies never;
  }
}

function chain(x: Tensor, ops: number): Tensor {
  let y = neg(x);
  for (let i = 1; i < ops; i++) {
    const next = i % 2 === 1 ? abs(y) : neg(y);
    y.dispose();
    y = next;
  }
  return y;
}

function kernelTask(work: KernelCase, values: Case['inputs'], backend: Backend): Task {
  const inputs = new Map(
    Object.entries(shapesOf(work)).map(([name, shape]) => [
      name,
      tensor(values.get(name)!, { shape, backend }),
    ]),
  );
  return {
    run: () => compute(work, inputs).dispose(),
    finish: () => backend.sync(),
    async result() {
      const y = compute(work, inputs);
      const data = (await y.data()) as Float32Array;
      y.dispose();
      return data;
    },
    dispose() {
      for (const input of inputs.values()) input.dispose();
    },
  };
}

export function convoke(backend: Backend, version: string): Contender {
  return {
    name: backend.name,
    version,
    threads: backend.capabilities.threads,
    async prepare({ work, inputs }) {
      if (work.kind === 'training') return trainingTask(work, inputs, backend);
      if (work.kind === 'inference') return inferenceTask(work, inputs, backend);
      return kernelTask(work, inputs, backend);
    },
    close: async () => backend.dispose(),
  };
}
