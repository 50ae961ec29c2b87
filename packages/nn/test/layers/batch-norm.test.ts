import {
  backward,
  buffer,
  memory,
  mul,
  noGrad,
  parameter,
  scope,
  ShapeError,
  sum,
  tensor,
  type Tensor,
} from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { BatchNorm2d, type HostTensor } from '../../src/index.ts';
import { goldenCases } from '../golden-cases.ts';
import { useJs } from '../networks.ts';

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Step {
  readonly y: Values;
  readonly running_mean: Values;
  readonly running_var: Values;
}

interface Case {
  readonly id: string;
  readonly attrs: {
    readonly eps: number;
    readonly momentum: number | null;
    readonly affine: boolean;
    readonly training: boolean;
  };
  readonly inputs: Readonly<Record<string, Values>>;
  readonly outputs: Readonly<Record<string, Values>>;
  readonly upstream: Values;
  readonly steps?: readonly Step[];
}

const cases = goldenCases('batch_norm') as unknown as readonly Case[];
const single = cases.filter(({ steps }) => !steps);
const cumulative = cases.filter(({ steps }) => steps);

const tensorOf = ({ shape, data }: Values) => tensor(Float32Array.from(data), { shape });

async function expectNear(slot: { data(): Promise<ArrayLike<number>> }, { data }: Values) {
  const actual = await slot.data();
  const scale = Math.max(1, ...data.map(Math.abs));
  expect(actual).toHaveLength(data.length);
  data.forEach((value, i) => expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-5 * scale));
}

function layerOf({ attrs, inputs }: Case): BatchNorm2d {
  const { eps: epsilon, momentum, affine, training } = attrs;
  const channels = (inputs['x'] ?? inputs['x0'])!.shape[1]!;
  const layer = new BatchNorm2d({ channels, epsilon, momentum, affine });
  const values = new Map<string, HostTensor>();
  for (const name of ['weight', 'bias', 'running_mean', 'running_var']) {
    const value = inputs[name];
    if (value) {
      values.set(name, {
        dtype: 'float32',
        shape: value.shape,
        data: Float32Array.from(value.data),
      });
    }
  }
  layer.loadStateDict(values, { strict: false });
  return layer.train(training);
}

beforeAll(useJs);

describe('as in PyTorch', () => {
  test.each(single.map((each) => [each.id, each] as const))('%s', async (_, golden) => {
    using layer = layerOf(golden);
    using x = parameter(tensorOf(golden.inputs['x']!));
    using y = scope(() => {
      const result = layer.forward(x);
      backward(sum(mul(result, tensorOf(golden.upstream))));
      return result;
    });
    const actual: Record<string, Tensor | null | undefined> = {
      y,
      g_x: x.grad,
      g_weight: layer.weight?.grad,
      g_bias: layer.bias?.grad,
      running_mean_after: layer.runningMean,
      running_var_after: layer.runningVar,
    };
    expect(y.shape).toEqual(golden.outputs['y']!.shape);
    for (const [name, expected] of Object.entries(golden.outputs)) {
      await expectNear(actual[name]!, expected);
    }
  });

  test.each(cumulative.map((each) => [each.id, each] as const))(
    '%s: the average over all batches where momentum is null',
    async (_, golden) => {
      using layer = layerOf(golden);
      for (const [i, step] of golden.steps!.entries()) {
        using x = tensorOf(golden.inputs[`x${i}`]!);
        using y = layer.forward(x);
        await expectNear(y, step.y);
        await expectNear(layer.runningMean!, step.running_mean);
        await expectNear(layer.runningVar!, step.running_var);
      }
      expect(await layer.numBatchesTracked!.data()).toEqual(Int32Array.of(golden.steps!.length));
    },
  );
});

const batch = () => tensor(Float32Array.of(1, 2, 3, 6), { shape: [4, 1] });

test('frozen, it keeps its statistics and uses them, in training mode too', async () => {
  using layer = new BatchNorm2d({ channels: 1, epsilon: 0 });
  layer.runningMean!.assign(tensor([2]));
  layer.runningVar!.assign(tensor([4]));
  layer.freeze();
  layer.train();
  using x = batch();
  using y = layer.forward(x);
  expect(await y.data()).toEqual(Float32Array.of(-0.5, 0, 0.5, 2));
  expect(await layer.runningMean!.data()).toEqual(Float32Array.of(2));
  expect(await layer.runningVar!.data()).toEqual(Float32Array.of(4));
  expect(await layer.numBatchesTracked!.data()).toEqual(Int32Array.of(0));

  layer.unfreeze();
  using z = layer.forward(x);
  expect(await z.data()).not.toEqual(await y.data());
  expect(await layer.runningMean!.data()).toEqual(Float32Array.of(Math.fround(0.9 * 2 + 0.1 * 3)));
});

test('without running statistics it normalises by the batch at evaluation too', async () => {
  using layer = new BatchNorm2d({ channels: 1, trackRunningStats: false, affine: false });
  expect([...layer.stateDict()]).toEqual([]);
  using x = batch();
  using training = layer.forward(x);
  using evaluation = layer.eval().forward(x);
  expect(await evaluation.data()).toEqual(await training.data());
});

test('a channel of one element has no variance to train with', () => {
  using layer = new BatchNorm2d({ channels: 2 });
  using x = tensor([1, 2], { shape: [1, 2] });
  expect(() => layer.forward(x)).toThrow(ShapeError);
  using y = layer.eval().forward(x);
  expect(y.shape).toEqual([1, 2]);
});

test('leaves nothing behind but its statistics', () => {
  using layer = new BatchNorm2d({ channels: 1 });
  using x = buffer(batch());
  const { handles } = memory();
  for (let i = 0; i < 5; i++) noGrad(() => layer.forward(x)).dispose();
  expect(memory().handles).toBe(handles);
});

test.each([2, -0.1, Number.NaN])('refuses a momentum of %d', (momentum) => {
  expect(() => new BatchNorm2d({ channels: 1, momentum })).toThrow(/momentum.*\[0, 1\]/);
});
