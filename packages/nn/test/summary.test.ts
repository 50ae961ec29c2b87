import { createMeta, memory, onBackend, relu, scope, ShapeError, type Tensor } from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  BatchNorm2d,
  Branches,
  Conv2d,
  Dropout,
  Flatten,
  formatSummary,
  Linear,
  MaxPool2d,
  Module,
  PReLU,
  ReLU,
  Sequential,
  Softmax,
  summary,
} from '../src/index.ts';
import { LeNet5, sharedJson, useJs } from './networks.ts';

interface CourseRow {
  readonly layer: string;
  readonly activation_shape_hwc: readonly number[];
  readonly activation_size: number;
  readonly params: number;
  readonly macs: number;
}

const reference = sharedJson<{
  ng_course: Record<string, { rows: readonly CourseRow[]; total_params: number }>;
}>('notes/reference.json');

const sizeOf = (layers: readonly { activationSize: number }[]): number =>
  layers.reduce((sum, layer) => sum + layer.activationSize, 0);

const pool = (): Module => new MaxPool2d({ kernelSize: 2 });

/** The course's network: two convolutions with pools, two full layers, softmax. */
function courseNetwork(filters: number): Module {
  return new Sequential({
    conv1: new Conv2d({ inChannels: 3, outChannels: filters, kernelSize: 5 }),
    pool1: pool(),
    conv2: new Conv2d({ inChannels: filters, outChannels: 16, kernelSize: 5 }),
    pool2: pool(),
    flatten: new Flatten(),
    fc3: new Linear({ inFeatures: 400, outFeatures: 120 }),
    fc4: new Linear({ inFeatures: 120, outFeatures: 84 }),
    output: new Linear({ inFeatures: 84, outFeatures: 10 }),
  });
}

beforeAll(useJs);

describe("the course's tables", () => {
  test.runIf(reference).each([
    ['lenet_like_table', 8],
    ['lenet_like_6_filters', 6],
  ] as const)('%s', (table, filters) => {
    const { rows, total_params: total } = reference!.ng_course[table]!;
    using net = courseNetwork(filters);
    const result = summary(net, [1, 3, 32, 32]);
    const layers = result.layers.filter(({ type }) => type !== 'Flatten');
    expect(layers).toHaveLength(rows.length);
    rows.forEach((row, i) => {
      const { activationShape, activationSize, parameters, macs } = layers[i]!;
      const [height, width, channels] = row.activation_shape_hwc as [number, number, number];
      const expected = activationShape.length === 4 ? [1, channels, height, width] : [1, channels];
      expect(activationShape).toEqual(expected);
      expect({ size: activationSize, parameters, macs }).toEqual({
        size: row.activation_size,
        parameters: row.params,
        macs: row.macs,
      });
    });
    expect(result.parameters).toBe(total);
    expect(result.macs).toBe(rows.reduce((sum, { macs }) => sum + macs, 0));
    expect(result.activations).toBe(sizeOf(result.layers));
  });
});

test("LeNet-5 has 61,706 parameters and 416,520 multiply-adds (1998 paper's sizes, dense C3)", () => {
  using net = new LeNet5();
  const { parameters, macs, layers } = summary(net, [1, 1, 28, 28]);
  expect({ parameters, macs }).toEqual({ parameters: 61_706, macs: 416_520 });
  expect(layers.map(({ name }) => name)).toEqual(['input', 'conv1', 'conv2', 'fc1', 'fc2', 'fc3']);
});

test('a batch multiplies activations and multiply-adds, not parameters', () => {
  using net = new LeNet5();
  const [one, many] = [1, 32].map((n) => summary(net, [n, 1, 28, 28])) as [
    ReturnType<typeof summary>,
    ReturnType<typeof summary>,
  ];
  expect(many.macs).toBe(32 * one.macs);
  expect(many.activations).toBe(32 * one.activations);
  expect(many.parameters).toBe(one.parameters);
});

test('a network made on meta is summarised as any other', () => {
  using real = new LeNet5();
  const meta = onBackend(createMeta(), () => new LeNet5());
  expect(summary(meta, [1, 1, 28, 28])).toEqual(summary(real, [1, 1, 28, 28]));
});

test('a module that is called twice stands there twice, its parameters count once', () => {
  const shared = new Linear({ inFeatures: 4, outFeatures: 4 });
  using net = new Sequential([shared, new ReLU(), shared]);
  const { layers, parameters, macs } = summary(net, [1, 4]);
  expect(layers.map(({ name, parameters: own }) => [name, own])).toEqual([
    ['input', 0],
    ['0', 20],
    ['1', 0],
    ['0', 0],
  ]);
  expect({ parameters, macs }).toEqual({ parameters: 20, macs: 32 });
});

test('what a module with children computes and holds itself has a row of its own', () => {
  class Net extends Module {
    readonly inner: Conv2d = new Conv2d({ inChannels: 1, outChannels: 1, kernelSize: 1 });
    readonly slope = new PReLU().weight;
    readonly aux: Linear = new Linear({ inFeatures: 3, outFeatures: 3 });

    override forward(x: Tensor): Tensor {
      return scope(() => relu(this.inner.forward(x)));
    }
  }
  using net = new Net();
  net.aux.freeze();
  const result = summary(net, [1, 1, 5, 5]);
  expect(result.layers.map(({ type, parameters }) => [type, parameters])).toEqual([
    ['Input', 0],
    ['Conv2d', 2],
    ['Net', 1],
  ]);
  expect(result).toMatchObject({ parameters: 15, unusedParameters: 12, trainableParameters: 3 });
  expect(formatSummary(result)).toContain('parameters of modules that did not run: 12');
});

test('leaves values, statistics, modes and generators as they were', async () => {
  using net = new Sequential({
    conv: new Conv2d({ inChannels: 1, outChannels: 2, kernelSize: 3 }),
    norm: new BatchNorm2d({ channels: 2 }),
    drop: new Dropout(),
    both: new Branches([new ReLU(), new Softmax()]),
  });
  net.moduleAt('norm').eval();
  const { handles } = memory();
  const { layers } = summary(net, [2, 1, 8, 8]);
  expect(memory().handles).toBe(handles);
  expect(layers.at(-1)!.name).toBe('both.1');
  expect(net.moduleAt('norm').training).toBe(false);
  expect(net.moduleAt('drop').training).toBe(true);
  expect((net.moduleAt('drop') as Dropout).generator.state().draws).toBe(0);
  expect(await net.stateDict().get('norm.num_batches_tracked')!.data()).toEqual(Int32Array.of(0));
  expect(Object.hasOwn(net, 'forward')).toBe(false);
});

test('several inputs are given as specs', () => {
  class Sum extends Module {
    readonly layer: Linear = new Linear({ inFeatures: 2, outFeatures: 1 });
    override forward(a: Tensor, b: Tensor): Tensor {
      return scope(() => relu(this.layer.forward(a.shape[0] === 3 ? a : b)));
    }
  }
  using net = new Sum();
  const spec = { shape: [3, 2], dtype: 'float32' } as const;
  const { layers, macs } = summary(net, [spec, { shape: [1], dtype: 'int32' }]);
  expect(layers.map(({ name }) => name)).toEqual(['input', 'input', 'layer']);
  expect(macs).toBe(6);
});

test("an input that does not fit is an error of the layer's", () => {
  using net = new LeNet5();
  expect(() => summary(net, [1, 3, 28, 28])).toThrow(ShapeError);
  expect(net.training).toBe(true);
});

test('as text it is a table with totals', () => {
  using net = courseNetwork(6);
  const lines = formatSummary(summary(net, [1, 3, 32, 32])).split('\n');
  expect(lines[0]).toMatch(/^layer +type +activation shape +activation size +parameters +MACs$/);
  expect(lines).toContainEqual(
    expect.stringMatching(/^conv1 +Conv2d +\[1, 6, 28, 28\] +4,704 +456 +352,800$/),
  );
  expect(lines.at(-2)).toMatch(/^total +\S+ +62,006? ?/);
});
