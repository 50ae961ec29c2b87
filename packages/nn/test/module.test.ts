import { createJs } from '@convoke/backend-js';
import {
  buffer,
  createMeta,
  DataError,
  Generator,
  memory,
  noGrad,
  onBackend,
  ones,
  parameter,
  relu,
  scope,
  tensor,
  zeros,
  type Slot,
  type Tensor,
} from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  Linear,
  Module,
  ReLU,
  Sequential,
  type HostTensor,
} from '../src/index.ts';
import { LeNet5, useJs } from './networks.ts';

class Net extends Module {
  readonly features: Sequential;
  readonly heads: Linear[];
  readonly scale: Slot;
  readonly mask: Slot;

  constructor() {
    super();
    this.mask = buffer(ones([2]));
    this.scale = parameter(ones([1]));
    this.features = new Sequential({
      conv: new Conv2d({ inChannels: 1, outChannels: 2, kernelSize: 3, bias: false }),
      norm: new BatchNorm2d({ channels: 2 }),
      relu: new ReLU(),
      drop: new Dropout(),
    });
    this.heads = [1, 2].map((outFeatures) => new Linear({ inFeatures: 2, outFeatures }));
  }

  override forward(x: Tensor): Tensor {
    return this.features.forward(x);
  }
}

async function valuesOf(model: Module): Promise<Map<string, HostTensor>> {
  const values = new Map<string, HostTensor>();
  for (const [name, slot] of model.stateDict()) {
    values.set(name, { dtype: slot.dtype, shape: slot.shape, data: await slot.data() });
  }
  return values;
}

beforeAll(useJs);

describe('names', () => {
  test('are field names along the path, parameters before buffers', () => {
    using net = new Net();
    expect([...net.stateDict().keys()]).toEqual([
      'scale',
      'mask',
      'features.conv.weight',
      'features.norm.weight',
      'features.norm.bias',
      'features.norm.running_mean',
      'features.norm.running_var',
      'features.norm.num_batches_tracked',
      'heads.0.weight',
      'heads.0.bias',
      'heads.1.weight',
      'heads.1.bias',
    ]);
    expect([...net.namedBuffers().keys()]).toEqual([
      'mask',
      'features.norm.running_mean',
      'features.norm.running_var',
      'features.norm.num_batches_tracked',
    ]);
    expect(net.parameters()).toHaveLength(8);
    expect([...net.namedModules().keys()]).toContain('features.drop');
  });

  test('of a shared parameter all stand in the state dict, but it is one parameter', () => {
    const shared = new Linear({ inFeatures: 2, outFeatures: 2 });
    using net = new Sequential([shared, new ReLU(), shared]);
    expect([...net.stateDict().keys()]).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
    expect([...net.namedParameters().keys()]).toEqual(['0.weight', '0.bias']);
    expect([...net.namedModules().keys()]).toEqual(['', '0', '1']);
  });

  test('lead to modules, which can be replaced', () => {
    using net = new Net();
    expect(net.moduleAt('features.norm')).toBeInstanceOf(BatchNorm2d);
    expect(net.moduleAt('')).toBe(net);
    const head = new Linear({ inFeatures: 2, outFeatures: 7 });
    net.replaceModule('heads.1', head).dispose();
    expect(net.stateDict().get('heads.1.weight')!.shape).toEqual([7, 2]);
    net.replaceModule(
      'features.conv',
      new Conv2d({ inChannels: 3, outChannels: 2, kernelSize: 1 }),
    );
    expect(net.stateDict().get('features.conv.weight')!.shape).toEqual([2, 3, 1, 1]);
    expect(() => net.moduleAt('features.missing')).toThrow(DataError);
    expect(() => net.moduleAt('features.missing')).toThrow(/conv, norm, relu, drop/);
  });
});

describe('loadStateDict', () => {
  test('takes over every value and says so', async () => {
    using from = new LeNet5(new Generator(1));
    using to = new LeNet5(new Generator(2));
    const report = to.loadStateDict(await valuesOf(from));
    expect(report.loaded).toEqual([...to.stateDict().keys()]);
    expect(await valuesOf(to)).toEqual(await valuesOf(from));
  });

  test('names what is missing, unexpected and mismatched before anything is changed', async () => {
    using net = new LeNet5();
    const before = await valuesOf(net);
    const given = new Map<string, HostTensor>(before);
    given.delete('fc1.bias');
    given.set('head.weight', { dtype: 'float32', shape: [1], data: Float32Array.of(1) });
    given.set('fc3.weight', { dtype: 'float32', shape: [5, 84], data: new Float32Array(420) });
    given.set('conv1.bias', { dtype: 'float32', shape: [6], data: new Float32Array(6).fill(9) });
    expect(() => net.loadStateDict(given)).toThrow(DataError);
    expect(() => net.loadStateDict(given)).toThrow(
      /missing: fc1\.bias; unexpected: head\.weight; mismatched: fc3\.weight \(float32 \[5, 84\], expected float32 \[10, 84\]\)/,
    );
    expect(await valuesOf(net)).toEqual(before);

    const report = net.loadStateDict(given, { strict: false });
    expect(report.missing).toEqual(['fc1.bias']);
    expect(report.unexpected).toEqual(['head.weight']);
    expect(report.mismatched).toEqual([
      {
        name: 'fc3.weight',
        given: { dtype: 'float32', shape: [5, 84] },
        expected: { dtype: 'float32', shape: [10, 84] },
      },
    ]);
    expect(report.loaded).toHaveLength(8);
    expect(await net.conv1.bias!.data()).toEqual(new Float32Array(6).fill(9));
  });

  test('refuses values that do not fill their shape, and another dtype', () => {
    using net = new Linear({ inFeatures: 2, outFeatures: 1, bias: false });
    const short: HostTensor = { dtype: 'float32', shape: [1, 2], data: Float32Array.of(1) };
    expect(() => net.loadStateDict({ weight: short })).toThrow(/another number of elements/);
    const whole: HostTensor = { dtype: 'int32', shape: [1, 2], data: Int32Array.of(1, 2) };
    expect(() => net.loadStateDict({ weight: whole })).toThrow(/int32 \[1, 2\], expected float32/);
  });

  test('does without the counts of batches that old files lack', async () => {
    using net = new BatchNorm2d({ channels: 1 });
    const values = await valuesOf(net);
    values.delete('num_batches_tracked');
    expect(net.loadStateDict(values).missing).toEqual(['num_batches_tracked']);
    values.delete('running_var');
    expect(() => net.loadStateDict(values)).toThrow(/missing: running_var/);
  });
});

describe('modes', () => {
  test('train and eval reach every module', () => {
    using net = new Net();
    net.eval();
    expect([...net.namedModules().values()].every(({ training }) => !training)).toBe(true);
    net.train();
    expect([...net.namedModules().values()].every(({ training }) => training)).toBe(true);
  });

  test('frozen parameters take no gradient and stay parameters', () => {
    using net = new Net();
    net.features.freeze();
    const trainable = [...net.namedParameters()].filter(([, slot]) => slot.requiresGrad);
    expect(trainable.map(([name]) => name)).toEqual([
      'scale',
      'heads.0.weight',
      'heads.0.bias',
      'heads.1.weight',
      'heads.1.bias',
    ]);
    expect(net.namedParameters().size).toBe(8);
    net.features.unfreeze();
    expect(net.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expect([...net.namedBuffers().values()].some(({ requiresGrad }) => requiresGrad)).toBe(false);
  });
});

describe('backends', () => {
  test('a network made on meta allocates nothing', () => {
    const meta = createMeta();
    const before = memory();
    // 400 GB of weights.
    const net = onBackend(meta, () => new Linear({ inFeatures: 1_000_000, outFeatures: 100_000 }));
    expect(net.weight.shape).toEqual([100_000, 1_000_000]);
    expect(memory()).toEqual(before);
    expect(meta.memory()).toEqual({ handles: 2, bytes: 0 });
  });

  test('moving takes values and gradients along and frees the old ones', async () => {
    const before = memory().handles;
    const other = createJs();
    using net = new Net();
    net.scale.grad = buffer(tensor([5]));
    const values = await valuesOf(net);
    await net.to(other);
    expect(memory().handles).toBe(before);
    expect([...net.stateDict().values()].every(({ backend }) => backend === other)).toBe(true);
    expect(await net.scale.grad.data()).toEqual(Float32Array.of(5));
    expect(await valuesOf(net)).toEqual(values);
  });

  test('a move that fails leaves everything where it was', async () => {
    using net = new LeNet5();
    const values = await valuesOf(net);
    const other = createJs();
    const { upload } = other;
    other.upload = (spec, data) => {
      if (other.memory().handles === 4) throw new Error('no room');
      return upload.call(other, spec, data);
    };
    await expect(net.to(other)).rejects.toThrow('no room');
    expect(other.memory().handles).toBe(0);
    expect(await valuesOf(net)).toEqual(values);
    using x = zeros([1, 1, 28, 28]);
    noGrad(() => net.forward(x)).dispose();
  });

  test('a move during which a value changes or goes fails and moves nothing', async () => {
    using net = new Net();
    const other = createJs();
    const home = net.scale.backend;
    for (const disturb of [() => net.scale.assign(tensor([7])), () => net.scale.clearGrad()]) {
      net.scale.grad = buffer(tensor([5]));
      const moving = net.to(other);
      disturb();
      await expect(moving).rejects.toThrow(/changed while it was copied to backend 'js'/);
      expect(other.memory().handles).toBe(0);
      expect([...net.stateDict().values()].every(({ backend }) => backend === home)).toBe(true);
    }
    expect(await net.scale.data()).toEqual(Float32Array.of(7));
  });

  test('dispose frees everything', () => {
    const before = memory().handles;
    const net = new Net();
    expect(memory().handles).toBeGreaterThan(before);
    net.dispose();
    expect(memory().handles).toBe(before);
  });
});

test('prints the tree of modules', () => {
  using net = new Sequential({
    conv: new Conv2d({ inChannels: 1, outChannels: 2, kernelSize: [3, 1], padding: 'same' }),
    act: new ReLU(),
    inner: new Sequential([new Linear({ inFeatures: 4, outFeatures: 2, bias: false })]),
  });
  expect(net.toString()).toBe(`Sequential(
  (conv): Conv2d(1, 2, kernelSize: [3, 1], padding: 'same')
  (act): ReLU()
  (inner): Sequential(
    (0): Linear(4, 2, bias: false)
  )
)`);
});

test("a module of one's own frees what its forward makes", () => {
  class Twice extends Module {
    readonly layer: Linear = new Linear({ inFeatures: 3, outFeatures: 3 });
    override forward(x: Tensor): Tensor {
      return scope(() => relu(this.layer.forward(relu(this.layer.forward(x)))));
    }
  }
  using net = new Twice();
  using x = ones([2, 3]);
  const before = memory().handles;
  noGrad(() => net.forward(x)).dispose();
  expect(memory().handles).toBe(before);
});
