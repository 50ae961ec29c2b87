// Whole networks against PyTorch: names and shapes of the state dict, outputs, losses of the first steps of training, running
// statistics. Values follow from names, so any wrong name shows.

import { backward, crossEntropy, scope, tensor } from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { SGD, type HostTensor, type Module } from '../src/index.ts';
import { goldenValues, LeNet5, ResNet20, sharedJson, useJs } from './networks.ts';

interface GoldenNetwork {
  readonly gain: number;
  readonly params: number;
  readonly state_dict: readonly (readonly [string, readonly number[]])[];
  readonly parameters: readonly string[];
  readonly cases: readonly {
    readonly input: { readonly shape: readonly number[] };
    readonly output: { readonly f64_b64: string; readonly std: number };
  }[];
  readonly train: {
    readonly input: { readonly shape: readonly number[] };
    readonly target: readonly number[];
    readonly lr: number;
    readonly losses: readonly number[];
    readonly grads: readonly { readonly name: string; readonly l2: number }[];
    readonly running: readonly { readonly name: string; readonly l2: number }[];
  };
}

function load(model: Module, golden: GoldenNetwork): void {
  const tensors = new Map<string, HostTensor>();
  for (const [name, shape] of golden.state_dict) {
    const values = goldenValues(name, shape, golden.gain);
    const counts = name.endsWith('num_batches_tracked');
    tensors.set(
      name,
      counts
        ? { dtype: 'int32', shape, data: Int32Array.from(values) }
        : { dtype: 'float32', shape, data: values },
    );
  }
  model.loadStateDict(tensors);
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}

const networks: readonly (readonly [string, () => Module])[] = [
  ['lenet5_modern', () => new LeNet5()],
  ['resnet20_cifar', () => new ResNet20()],
];

beforeAll(useJs);

describe.each(networks)('%s', (file, make) => {
  const golden = sharedJson<GoldenNetwork>(`golden/zoo/${file}.json.gz`);

  test.runIf(golden)('has the names and shapes of its state dict in PyTorch', () => {
    using model = make();
    const ours = [...model.stateDict()].map(([name, slot]) => [name, slot.shape]);
    expect(ours).toEqual(golden!.state_dict);
    expect([...model.namedParameters().keys()]).toEqual(golden!.parameters);
    expect(model.parameters().reduce((sum, { size }) => sum + size, 0)).toBe(golden!.params);
  });

  test.runIf(golden)('gives the outputs that it has in PyTorch', async () => {
    using model = make().eval();
    load(model, golden!);
    for (const { input, output } of golden!.cases) {
      const x = tensor(goldenValues('input', input.shape), { shape: input.shape });
      const bytes = Buffer.from(output.f64_b64, 'base64');
      const y = scope(() => model.forward(x));
      const actual = await y.data();
      for (let i = 0; i < actual.length; i++) {
        expect(Math.abs(actual[i]! - bytes.readDoubleLE(8 * i))).toBeLessThan(2e-5 * output.std);
      }
      y.dispose();
      x.dispose();
    }
  });

  test.runIf(golden)('learns as in PyTorch: gradients, running statistics, losses', async () => {
    using model = make().train();
    load(model, golden!);
    const { input, target, lr, losses, grads, running } = golden!.train;
    using optimizer = new SGD(model.namedParameters(), { lr, momentum: 0.9, weightDecay: 1e-4 });
    using x = tensor(goldenValues('input', input.shape), { shape: input.shape });
    using labels = tensor(Int32Array.from(target), { shape: [target.length], dtype: 'int32' });
    /** Of gradients and of running statistics after the first step. */
    const norms = new Map<string, number>();
    for (const [step, expected] of losses.entries()) {
      optimizer.zeroGrad();
      const loss = scope(() => {
        const value = crossEntropy(model.forward(x), labels);
        backward(value);
        return value.data();
      });
      expect(Math.abs((await loss)[0]! - expected)).toBeLessThan(2e-4 * Math.max(1, expected));
      if (step === 0) {
        for (const [name, slot] of model.stateDict()) {
          norms.set(name, norm(await (slot.grad ?? slot).data()));
        }
      }
      optimizer.step();
    }
    for (const { name, l2 } of [...grads, ...running]) {
      const near = Math.abs(norms.get(name)! - l2) < 2e-4 * l2;
      expect([name, near]).toEqual([name, true]);
    }
  });
});
