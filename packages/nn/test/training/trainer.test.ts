import { createJs } from '@convoke/backend-js';
import {
  createMeta,
  crossEntropy,
  DataError,
  memory,
  mseLoss,
  mul,
  noGrad,
  scope,
  ShapeError,
  tensor,
} from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  Adam,
  Linear,
  oneCycle,
  reduceOnPlateau,
  SGD,
  Trainer,
  type Batch,
  type BatchSource,
  type Callback,
  type TrainerOptions,
} from '../../src/index.ts';
import { useJs } from '../networks.ts';
import { CLASSES, FEATURES, labelled, network, quarters, repeating, valuesOf } from './runs.ts';

beforeAll(useJs);

const change = async (options: { clipNorm?: number; clipValue?: number }) => {
  using model = new Linear({ inFeatures: FEATURES, outFeatures: CLASSES });
  const before = await valuesOf(model);
  using optimizer = new SGD(model.namedParameters(), { lr: 1 });
  const source = await quarters({ samples: 8, batchSize: 8 });
  const trainer = new Trainer({
    model,
    optimizer,
    loss: (outputs, labels) => mul(crossEntropy(outputs, labels), 1000),
    ...options,
  });
  await trainer.fit(source, { epochs: 1 });
  const after = await valuesOf(model);
  return Object.keys(before).flatMap((name) =>
    before[name]!.map((value, i) => after[name]![i]! - value),
  );
};

const trainedWeights = async (): Promise<Record<string, number[]>> => {
  using model = network();
  using optimizer = new SGD(model.namedParameters(), { lr: 0.1, momentum: 0.9 });
  const source = await quarters({ samples: 64, batchSize: 16 });
  await new Trainer({ model, optimizer }).fit(source, { epochs: 3 });
  return await valuesOf(model);
};

describe('fit', () => {
  test('learns, records every epoch and leaves the model in evaluation mode', async () => {
    using model = network();
    const source = await quarters({ samples: 256, batchSize: 32 });
    const validation = await quarters({ samples: 100, batchSize: 50, seed: 2 });
    using optimizer = new Adam(model.namedParameters(), { lr: 0.02 });
    const trainer = new Trainer({ model, optimizer });
    const { history, steps, stopped } = await trainer.fit(source, { epochs: 12, validation });
    expect({ length: history.length, steps, stopped }).toEqual({
      length: 12,
      steps: 96,
      stopped: null,
    });
    const [first, last] = [history[0]!, history.at(-1)!];
    expect(last.loss).toBeLessThan(first.loss / 2);
    expect(last.validationAccuracy).toBeGreaterThan(0.85);
    expect(history.map(({ epoch }) => epoch)).toEqual([...history.keys()]);
    expect(history.every(({ images }) => images === 256)).toBe(true);
    expect(model.training).toBe(false);

    const measured = await trainer.evaluate(validation);
    expect(measured.loss).toBe(last.validationLoss);
    expect(measured.accuracy).toBe(last.validationAccuracy);
    expect(measured.confusion.flat().reduce((a, b) => a + b)).toBe(100);
    const hits = measured.confusion.reduce((total, row, i) => total + row[i]!, 0);
    expect(hits / 100).toBe(measured.accuracy);
    expect(measured.topKAccuracy).toBe(1);
  });

  test('with the same seeds gives the same weights, bit for bit', async () => {
    expect(await trainedWeights()).toEqual(await trainedWeights());
  });

  test('leaves nothing behind: after 2,000 steps as many handles and bytes as after 10', async () => {
    using model = network();
    using optimizer = new Adam(model.namedParameters());
    const source = await quarters({ samples: 80, batchSize: 8 });
    const trainer = new Trainer({ model, optimizer, clipNorm: 1 });
    const seen: ReturnType<typeof memory>[] = [];
    const watch: Callback = { onEpochEnd: () => void seen.push(memory()) };
    await trainer.fit(source, { epochs: 200, callbacks: [watch], validation: source });
    expect(seen).toHaveLength(200);
    expect(seen.at(-1)!.handles).toBe(seen[0]!.handles);
    expect(seen.at(-1)!.bytes).toBe(seen[0]!.bytes);
    expect(seen.at(-1)!.details).toEqual(seen[1]!.details);
  });

  test('tells callbacks what happens, in order', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const events: string[] = [];
    const callback: Callback = {
      onStart: ({ epochs, steps }) => void events.push(`start ${epochs} ${steps}`),
      onStep: ({ epoch, batch, step }) => void events.push(`step ${epoch}.${batch} ${step}`),
      onEpochEnd: ({ epoch }, run) => {
        events.push(`epoch ${epoch} ${run.steps}`);
        run.stop('enough');
      },
      onEnd: () => void events.push('end'),
    };
    const source = await quarters({ samples: 8, batchSize: 4 });
    const result = await new Trainer({ model, optimizer }).fit(source, {
      epochs: 5,
      callbacks: [callback],
    });
    expect(events).toEqual(['start 5 0', 'step 0.0 1', 'step 0.1 2', 'epoch 0 2', 'end']);
    expect(result.stopped).toBe('enough');
    expect(result.history).toHaveLength(1);
  });

  test('follows its schedule, momentum too', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters(), { momentum: 0.9 });
    const schedule = oneCycle({ maxLr: 0.1, totalSteps: 6 });
    const rates: number[][] = [];
    const callback: Callback = {
      onStep: ({ learningRate }) => void rates.push([learningRate, optimizer.momentum]),
    };
    const source = await quarters({ samples: 24, batchSize: 8 });
    const trainer = new Trainer({ model, optimizer, schedule });
    await trainer.fit(source, { epochs: 2, callbacks: [callback] });
    expect(rates).toEqual(
      Array.from({ length: 6 }, (_, step) => {
        const { lr, momentum } = schedule.at(step);
        return [lr, momentum];
      }),
    );
  });

  test("tells a schedule that learns from the run each epoch's metric", async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    // The loss cannot fall at a rate of 0, so that the plateau is there at once.
    const schedule = reduceOnPlateau({
      lr: 1e-6,
      patience: 0,
      factor: 0.5,
      threshold: 0.5,
      epsilon: 0,
    });
    const source = await quarters({ samples: 16, batchSize: 8 });
    const trainer = new Trainer({ model, optimizer, schedule });
    const { history } = await trainer.fit(source, { epochs: 3, validation: source });
    expect(history.map(({ learningRate }) => learningRate)).toEqual([1e-6, 1e-6, 0.5e-6]);

    const watching = new Trainer({
      model,
      optimizer,
      schedule,
      scheduleMonitor: 'validationAccuracy',
    });
    await expect(watching.fit(source, { epochs: 1 })).rejects.toThrow(/validationAccuracy/);
  });

  test('clips gradients by norm and by value', async () => {
    const byNorm = await change({ clipNorm: 0.5 });
    expect(Math.hypot(...byNorm)).toBeCloseTo(0.5, 3);
    const byValue = await change({ clipValue: 0.25 });
    expect(Math.max(...byValue.map(Math.abs))).toBeCloseTo(0.25, 5);
    expect(
      byValue.filter((value) => Math.abs(Math.abs(value) - 0.25) < 1e-5).length,
    ).toBeGreaterThan(4);
  });

  test('does not train frozen parameters', async () => {
    using model = network();
    model.moduleAt('fc1').freeze();
    model.moduleAt('norm').freeze();
    const before = await valuesOf(model);
    using optimizer = new Adam(model.namedParameters());
    const source = await quarters({ samples: 16, batchSize: 8 });
    await new Trainer({ model, optimizer }).fit(source, { epochs: 2 });
    const after = await valuesOf(model);
    const changed = Object.keys(before).filter(
      (name) => String(before[name]) !== String(after[name]),
    );
    expect(changed).toEqual(['fc2.weight', 'fc2.bias']);
  });

  test('counts no gradient of an earlier step, where the optimiser has only some of the parameters', async () => {
    using model = network();
    using optimizer = new SGD(model.moduleAt('fc2').namedParameters(), { lr: 0 });
    const source = await quarters({ samples: 8, batchSize: 8 });
    const slopes: number[][] = [];
    const watch: Callback = {
      async onStep() {
        const { grad } = model.stateDict().get('norm.bias')!;
        slopes.push([...(await grad!.data())]);
      },
    };
    await new Trainer({ model, optimizer }).fit(
      {
        batchesPerEpoch: 2,
        async *epoch() {
          yield* source.epoch(0);
          yield* source.epoch(0);
        },
      },
      { epochs: 1, callbacks: [watch] },
    );
    expect(slopes).toHaveLength(2);
    const size = (list: number[]): number => Math.hypot(...list);
    expect(size(slopes[1]!)).toBeLessThan(1.5 * size(slopes[0]!));
  });

  test("takes real targets with a loss of one's own", async () => {
    using model = new Linear({ inFeatures: 1, outFeatures: 1 });
    using optimizer = new SGD(model.namedParameters(), { lr: 0.1 });
    const inputs = Float32Array.of(-1, 0, 1, 2);
    const source = repeating(
      { inputs, inputShape: [4, 1], labels: inputs.map((x) => 3 * x + 1), labelShape: [4, 1] },
      50,
    );
    const trainer = new Trainer({ model, optimizer, loss: mseLoss });
    const { history } = await trainer.fit(source, { epochs: 4 });
    expect(history[0]!.accuracy).toBeNull();
    expect((await model.weight.data())[0]).toBeCloseTo(3, 3);
    expect((await trainer.evaluate(source)).topKAccuracy).toBeNull();
  });
});

describe('predict', () => {
  test('joins the outputs of all batches', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const source = await quarters({ samples: 10, batchSize: 4 });
    const { data, shape } = await new Trainer({ model, optimizer }).predict(source);
    expect(shape).toEqual([10, CLASSES]);
    expect(model.training).toBe(true);
    model.eval();
    const rows: number[] = [];
    for (const { inputs, inputShape } of source.epoch(0) as Iterable<Batch>) {
      using y = noGrad(() => scope(() => model.forward(tensor(inputs, { shape: inputShape }))));
      rows.push(...(await y.data()));
    }
    expect([...data]).toEqual(rows);
  });
});

describe('bad input', () => {
  test('what is no model, no optimiser and no source is named', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const given = (options: unknown) => new Trainer(options as TrainerOptions);
    expect(() => given({ optimizer })).toThrow(/^Trainer: model must be a module, got undefined$/);
    expect(() => given({ model })).toThrow(/^Trainer: optimizer must be .*, got undefined$/);
    const trainer = new Trainer({ model, optimizer });
    const sources = [undefined, [], { epoch: () => [] }, { batchesPerEpoch: 2 }];
    for (const source of sources as BatchSource[]) {
      await expect(trainer.fit(source, { epochs: 1 })).rejects.toThrow(/^fit: expected a source/);
      await expect(trainer.evaluate(source)).rejects.toThrow(/^evaluate: expected a source/);
      await expect(trainer.predict(source)).rejects.toThrow(/^predict: expected a source/);
    }
  });

  test.each([
    [[0, 4], /label of sample 1 in batch 0 of epoch 0 .* is 4; expected a class from 0 to 3/],
    [[-1, 0], /label of sample 0 .* is -1/],
  ] as const)('labels %j are refused before the weights change', async (labels, message) => {
    using model = network();
    const parametersOf = async () => Promise.all(model.parameters().map((slot) => slot.data()));
    const before = await parametersOf();
    using optimizer = new SGD(model.namedParameters(), { lr: 1 });
    const trainer = new Trainer({ model, optimizer });
    const source = repeating(labelled(labels));
    await expect(trainer.fit(source, { epochs: 1 })).rejects.toThrow(DataError);
    await expect(trainer.fit(source, { epochs: 1 })).rejects.toThrow(message);
    await expect(trainer.evaluate(source)).rejects.toThrow(message);
    expect(await parametersOf()).toEqual(before);
  });

  test('NaN labels are refused, by sample', async () => {
    using model = new Linear({ inFeatures: 2, outFeatures: 2 });
    using optimizer = new SGD(model.namedParameters());
    const trainer = new Trainer({ model, optimizer, loss: mseLoss });
    const source = repeating({
      inputs: new Float32Array(6),
      inputShape: [3, 2],
      labels: Float32Array.of(0, 0, 0, Number.NaN, 0, 0),
      labelShape: [3, 2],
    });
    await expect(trainer.fit(source, { epochs: 1 })).rejects.toThrow(/label of sample 1 .* is NaN/);
  });

  test('a label to ignore passes and does not count', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const trainer = new Trainer({ model, optimizer, ignoreIndex: -100 });
    const source = repeating(labelled([0, -100, 2, -100]), 1);
    await trainer.fit(source, { epochs: 1 });
    const { confusion } = await trainer.evaluate(source);
    expect(confusion.flat().reduce((a, b) => a + b)).toBe(2);
  });

  test.each([
    ['labels of another number of samples', { ...labelled([0, 1]), labels: Int32Array.of(0) }],
    ['no samples', { inputs: new Float32Array(0), inputShape: [0, 6], labels: new Int32Array(0) }],
  ])('%s are an error', async (_, batch) => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const fit = new Trainer({ model, optimizer }).fit(repeating(batch), { epochs: 1 });
    await expect(fit).rejects.toThrow(/same number of samples, at least 1/);
  });

  test('a loss that is no scalar, epochs that are no number, a source that ends early', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const source = repeating(labelled([0, 1]));
    const unreduced = new Trainer({
      model,
      optimizer,
      loss: (outputs, labels) => crossEntropy(outputs, labels, { reduction: 'none' }),
    });
    await expect(unreduced.fit(source, { epochs: 1 })).rejects.toThrow(ShapeError);
    const trainer = new Trainer({ model, optimizer });
    await expect(trainer.fit(source, { epochs: 1.5 })).rejects.toThrow(/epochs must be a whole/);
    const short = { ...source, batchesPerEpoch: 3 };
    await expect(trainer.fit(short, { epochs: 1 })).rejects.toThrow(/gave 2 batches in epoch 0/);
    expect(() => new Trainer({ model, optimizer, topK: 0 })).toThrow(DataError);
  });
});

describe('abort', () => {
  test("ends between two steps with the signal's reason", async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const controller = new AbortController();
    const ended: string[] = [];
    const callback: Callback = {
      onStep: ({ step }) => {
        if (step === 3) controller.abort(new Error('enough'));
      },
      onEnd: () => void ended.push('end'),
    };
    const source = await quarters({ samples: 64, batchSize: 8 });
    const trainer = new Trainer({ model, optimizer });
    const fit = trainer.fit(source, {
      epochs: 9,
      callbacks: [callback],
      signal: controller.signal,
    });
    await expect(fit).rejects.toThrow('enough');
    expect(ended).toEqual(['end']);
    await expect(
      trainer.fit(source, { epochs: 1, signal: AbortSignal.abort() }),
    ).rejects.toHaveProperty('name', 'AbortError');
    await expect(trainer.evaluate(source, { signal: AbortSignal.abort() })).rejects.toHaveProperty(
      'name',
      'AbortError',
    );
  });
});

const weights = async (moving: boolean): Promise<Record<string, number[]>> => {
  using model = network();
  using optimizer = new Adam(model.namedParameters());
  const trainer = new Trainer({ model, optimizer });
  const source = await quarters({ samples: 32, batchSize: 8 });
  await trainer.fit(source, { epochs: 1 });
  if (moving) {
    const other = createJs();
    await trainer.to(other);
    expect(model.parameters().every(({ backend }) => backend === other)).toBe(true);
  }
  await trainer.fit(source, { epochs: 1 });
  return await valuesOf(model);
};

describe('moving', () => {
  test('takes model, gradients and optimiser to another backend in the middle of training', async () => {
    expect(await weights(true)).toEqual(await weights(false));
  });

  test('that fails leaves everything where it was', async () => {
    using model = network();
    using optimizer = new Adam(model.namedParameters());
    const trainer = new Trainer({ model, optimizer });
    const before = await valuesOf(model);
    const broken = createMeta();
    broken.sync = () => Promise.reject(new Error('lost'));
    await expect(trainer.to(broken)).rejects.toThrow('lost');
    expect(broken.memory().handles).toBe(0);
    expect(await valuesOf(model)).toEqual(before);
    const source = await quarters({ samples: 8, batchSize: 8 });
    await trainer.fit(source, { epochs: 1 });
  });
});
