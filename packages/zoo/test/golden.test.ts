// The comparison with PyTorch itself: what it takes, and that it finds mistakes.

import { createMeta, current, onBackend } from '@convoke/core';
import { BatchNorm2d, type BatchNorm2dConfig, type Module } from '@convoke/nn';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  fillWithGolden,
  recognize,
  runGoldenAuxiliary,
  runGoldenCase,
  runGoldenFrozen,
  runGoldenTraining,
  type Deviation,
  type GoldenNetwork,
} from '../src/golden.ts';
import { createModel } from '../src/index.ts';
import { useBackend } from './architectures/lab.ts';
import { goldenOf } from './fixtures.ts';

const golden = goldenOf('resnet20_cifar')!;

beforeAll(async () => {
  await useBackend('workers', { precision: 'strict' });
});

async function filled(
  { arch, gain }: GoldenNetwork,
  change: (model: Module) => void = () => undefined,
): Promise<Module> {
  const model = await createModel(arch, { backend: createMeta() });
  onBackend(createMeta(), () => change(model));
  fillWithGolden(model, gain, current());
  return model.eval();
}

const failing = (deviations: readonly Deviation[]): string[] =>
  deviations.filter(({ error, tolerance }) => !(error <= tolerance)).map(({ name }) => name);

describe('a network that is right', () => {
  it('agrees in each part of its file, which its content tells', async () => {
    const { arch, gain, cases, train, frozen_bn } = golden;
    const counts = [];
    for (const network of [cases[0]!, frozen_bn, train]) {
      const run = recognize({ attrs: { arch, gain }, network })!;
      const { tensors } = await run(current(), { precision: 'strict' });
      expect(failing(tensors)).toEqual([]);
      counts.push(tensors.length);
    }
    const parameters = golden.parameters.length;
    const { length: running } = train!.running;
    expect(counts).toEqual([
      1 + cases[0]!.checkpoints.length,
      1 + parameters,
      4 + running + parameters,
    ]);
  });

  it('agrees where an activation is on the kink of ReLU, by an input a rounding away', async () => {
    const mnasnet = goldenOf('mnasnet1_0')!;
    const model = await filled(mnasnet);
    expect(failing(await runGoldenTraining(model, mnasnet.train!))).toEqual([]);
    model.dispose();
  });

  it('agrees in its auxiliary classifiers, with running and with batch statistics', async () => {
    const googlenet = goldenOf('googlenet')!;
    const model = await filled(googlenet);
    const deviations = await runGoldenAuxiliary(model, googlenet.aux!);
    expect(deviations).toHaveLength(6);
    expect(failing(deviations)).toEqual([]);
    model.dispose();
  });
});

describe('a mistake is found', () => {
  /** Another normalisation of the same size in the second stage. */
  const withNorm = (config: Partial<BatchNorm2dConfig>) => (model: Module) => {
    const path = 'layer2.1.bn1';
    model.replaceModule(path, new BatchNorm2d({ channels: 32, ...config })).dispose();
  };

  it('in logits and the stages from it on, where one epsilon is another', async () => {
    const model = await filled(golden, withNorm({ epsilon: 1e-3 }));
    const names = failing(await runGoldenCase(model, golden.cases[0]!));
    expect(names).toEqual(expect.arrayContaining(['logits', 'layer2', 'layer3']));
    expect(names).not.toContain('layer1');
    model.dispose();
  });

  it('in gradients, whatever input a rounding away is tried', async () => {
    const model = await filled(golden, withNorm({ epsilon: 1e-3 }));
    const names = failing(await runGoldenFrozen(model, golden.frozen_bn!));
    expect(names).toEqual(expect.arrayContaining(['loss', 'gradient of conv1.weight']));
    model.dispose();
  });

  it('in running statistics alone, where one momentum is another', async () => {
    const model = await filled(golden, withNorm({ momentum: 0.01 }));
    const names = failing(await runGoldenTraining(model, golden.train!));
    expect(names).toEqual(['layer2.1.bn1.running_mean', 'layer2.1.bn1.running_var']);
    model.dispose();
  });

  it('in losses after the first step alone, where the learning rate is another', async () => {
    const model = await filled(golden);
    const train = { ...golden.train!, lr: 1.01 * golden.train!.lr };
    const names = failing(await runGoldenTraining(model, train));
    expect(names).toEqual(['loss after 1 step', 'loss after 2 steps', 'loss after 3 steps']);
    model.dispose();
  });
});

it('what is no network is left to others', () => {
  expect(recognize({ attrs: { op: 'relu' } })).toBeNull();
  expect(recognize({ attrs: { arch: 'resnet18', gain: 1 }, network: null })).toBeNull();
});
