import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DataError, Generator, memory } from '@convoke/core';
import { readSafetensors } from '@convoke/weights/node';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import {
  Adam,
  Dropout,
  earlyStopping,
  Linear,
  oneCycle,
  reduceOnPlateau,
  SGD,
  Trainer,
  type Batch,
  type BatchSource,
  type Callback,
  type Checkpoint,
  type CheckpointStore,
  type FitOptions,
  type FitResult,
  type StepSchedule,
} from '../../src/index.ts';
import { checkpointFolder } from '../../src/node.ts';
import { useJs } from '../networks.ts';
import { CLASSES, FEATURES, MemoryStore, network, quarters, valuesOf } from './runs.ts';

beforeAll(useJs);

interface Outcome {
  readonly weights: Record<string, number[]>;
  /** Without the seconds, which no two runs share. */
  readonly history: readonly object[];
  readonly result: Pick<FitResult, 'steps' | 'stopped'>;
}

const EPOCHS = 3;

/** A fresh process's run: everything is made anew. */
async function run(
  store: CheckpointStore,
  options: Partial<FitOptions> & { schedule?: StepSchedule; everySteps?: number; resume?: boolean },
): Promise<Outcome> {
  const { schedule, everySteps, resume = false, ...fit } = options;
  using model = network();
  using optimizer = new Adam(model.namedParameters(), { lr: 0.01 });
  const trainer = new Trainer({ model, optimizer, schedule, clipNorm: 1 });
  const source = await quarters({ samples: 42, batchSize: 8 });
  const validation = await quarters({ samples: 20, batchSize: 10, seed: 5 });
  const { history, steps, stopped } = await trainer.fit(source, {
    epochs: EPOCHS,
    validation,
    ...fit,
    checkpoints: { store, everySteps, resume, config: { seed: 3 } },
  });
  return {
    weights: await valuesOf(model),
    history: history.map((record) => Object.assign({}, record, { seconds: 0 })),
    result: { steps, stopped },
  };
}

const stopping = (): Callback[] => [earlyStopping({ monitor: 'loss', patience: 1, minDelta: 100 })];

const draws = async (store: MemoryStore, resume: boolean): Promise<number> => {
  using model = new Linear({
    inFeatures: FEATURES,
    outFeatures: CLASSES,
    generator: new Generator(1),
  });
  using optimizer = new SGD(model.namedParameters());
  const noise = new Generator(8);
  const trainer = new Trainer({ model, optimizer, generators: { noise } });
  const source = await quarters({ samples: 16, batchSize: 8 });
  const callback: Callback = { onStep: () => void noise.nextKey() };
  await trainer.fit(source, {
    epochs: 2,
    callbacks: [callback],
    checkpoints: { store, resume, everySteps: 1 },
  });
  return noise.state().draws;
};

describe('resume to the bit', () => {
  const schedules: readonly (readonly [string, () => StepSchedule])[] = [
    ['one cycle', () => oneCycle({ maxLr: 0.05, totalSteps: 18 })],
    ['on plateau', () => reduceOnPlateau({ lr: 0.05, patience: 0, threshold: 0.9 })],
  ];

  test.each(schedules)('from every checkpoint, %s', async (_, schedule) => {
    const store = new MemoryStore();
    const whole = await run(store, { schedule: schedule(), everySteps: 1 });
    expect(whole.result).toEqual({ steps: 18, stopped: null });
    expect(store.saved.map(({ state }) => state.step)).toEqual(
      Array.from({ length: 18 }, (__, i) => i + 1),
    );
    for (const checkpoint of store.saved) {
      const again = new MemoryStore(checkpoint);
      const resumed = await run(again, { schedule: schedule(), resume: true });
      expect(resumed, `after step ${checkpoint.state.step}`).toEqual(whole);
    }
    expect(store.saved.at(-1)!.state.finished).toBe(true);
  });

  test('after an abort at any step, which saves first', async () => {
    const whole = await run(new MemoryStore(), {});
    for (const at of [1, 5, 6, 7, 17, 18]) {
      const store = new MemoryStore();
      const controller = new AbortController();
      const callback: Callback = {
        onStep: ({ step }) => {
          if (step === at) controller.abort(new Error('cut off'));
        },
      };
      const fit = run(store, { signal: controller.signal, callbacks: [callback] });
      await expect(fit).rejects.toThrow('cut off');
      expect(store.saved.at(-1)!.state.step).toBe(at);
      expect(await run(store, { resume: true }), `after step ${at}`).toEqual(whole);
    }
  });

  test('an early stop is remembered', async () => {
    const store = new MemoryStore();
    const first = await run(store, { callbacks: stopping() });
    expect(first.result.stopped).toContain('loss has not improved');
    expect(await run(store, { callbacks: stopping(), resume: true })).toEqual(first);
  });

  test('a finished run gives its result at once; an empty store starts afresh', async () => {
    const store = new MemoryStore();
    const whole = await run(store, { resume: true });
    const steps: number[] = [];
    const counting: Callback = { onStep: ({ step }) => void steps.push(step) };
    expect(await run(store, { resume: true, callbacks: [counting] })).toEqual(whole);
    expect(steps).toEqual([]);
  });

  test('goes on where the same trainer left off, its generators further on already', async () => {
    const store = new MemoryStore();
    using model = network();
    using optimizer = new SGD(model.namedParameters(), { lr: 0.1 });
    const trainer = new Trainer({ model, optimizer });
    const source = await quarters({ samples: 24, batchSize: 8 });
    const fit = (resume: boolean): Promise<FitResult> =>
      trainer.fit(source, { epochs: 2, checkpoints: { store, resume, everySteps: 1 } });
    await fit(false);
    const weights = await valuesOf(model);
    const [early] = store.saved;
    store.saved.push(early!);
    const drawn = (model.moduleAt('drop') as Dropout).generator.state().draws;
    await fit(true);
    expect(await valuesOf(model)).toEqual(weights);
    expect((model.moduleAt('drop') as Dropout).generator.state().draws).toBe(drawn);
  });

  test("generators of the trainer's own go on too", async () => {
    const store = new MemoryStore();
    expect(await draws(store, false)).toBe(4);
    expect(await draws(new MemoryStore(store.saved[1]!), true)).toBe(4);
  });
});

test('keeps the weights of the best epoch', async () => {
  const store = new MemoryStore();
  using model = network();
  using optimizer = new SGD(model.namedParameters(), { lr: 0.05 });
  const trainer = new Trainer({ model, optimizer });
  const losses: number[] = [];
  const byEpoch: Record<string, number[]>[] = [];
  const callback: Callback = {
    async onEpochEnd({ validationLoss }) {
      losses.push(validationLoss!);
      byEpoch.push(await valuesOf(model));
    },
  };
  // Trains on labels that the validation contradicts, so that the first epochs are best.
  const source = await quarters({ samples: 32, batchSize: 8 });
  const wrong: BatchSource = {
    batchesPerEpoch: 4,
    *epoch(epoch, start) {
      for (const batch of source.epoch(epoch, start) as Iterable<Batch>) {
        yield { ...batch, labels: batch.labels.map((label) => 3 - label) };
      }
    },
  };
  await trainer.fit(wrong, {
    epochs: 5,
    validation: source,
    callbacks: [callback],
    checkpoints: { store },
  });
  const best = losses.indexOf(Math.min(...losses));
  expect(store.best!.epoch).toBe(best);
  const kept = Object.fromEntries(
    [...store.best!.model].map(([name, { data }]) => [name, Array.from(data)]),
  );
  expect(kept).toEqual(byEpoch[best]);
});

describe('the checkpoint of another run', () => {
  let saved: Checkpoint;
  beforeAll(async () => {
    const store = new MemoryStore();
    await run(store, { everySteps: 4, schedule: oneCycle({ maxLr: 0.05, totalSteps: 18 }) });
    saved = store.saved[0]!;
  });

  const resume = async (options: {
    outFeatures?: number;
    momentum?: number;
    epochs?: number;
    seed?: number;
    schedule?: StepSchedule;
    generators?: Record<string, Generator>;
    dropout?: boolean;
  }): Promise<string> => {
    const { momentum, epochs = EPOCHS, seed = 3, schedule, generators } = options;
    using model = network();
    const { outFeatures = CLASSES, dropout = false } = options;
    model.replaceModule('fc2', new Linear({ inFeatures: 16, outFeatures })).dispose();
    if (dropout) model.replaceModule('relu', new Dropout());
    using optimizer =
      momentum === undefined
        ? new Adam(model.namedParameters())
        : new SGD(model.namedParameters(), { momentum });
    const trainer = new Trainer({ model, optimizer, schedule, generators });
    const before = await valuesOf(model);
    const { handles } = memory();
    const source = await quarters({ samples: 42, batchSize: 8 });
    const error: unknown = await trainer
      .fit(source, {
        epochs,
        checkpoints: { store: new MemoryStore(saved), resume: true, config: { seed } },
      })
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect(await valuesOf(model)).toEqual(before);
    expect(memory().handles).toBe(handles);
    return (error as Error).message;
  };

  test('is refused: another model, optimiser, setting, schedule or generator', async () => {
    expect(await resume({ outFeatures: 7 })).toMatch(
      /of another model\. mismatched: fc2\.weight \(float32 \[4, 16\], expected float32 \[7, 16\]\)/,
    );
    expect(await resume({ momentum: 0.9 })).toMatch(
      /of another optimiser\. missing: .*momentum_buffer/,
    );
    expect(await resume({ epochs: 5 })).toContain('epochs was 3, is now 5');
    expect(await resume({ seed: 4 })).toContain('seed was 3, is now 4');
    expect(await resume({ schedule: reduceOnPlateau({ lr: 1 }) })).toContain(
      'no state of a schedule',
    );
    expect(await resume({ dropout: true })).toContain("generator 'model.relu.generator'");
    expect(await resume({ generators: { noise: new Generator(1) } })).toMatch(
      /generator 'noise' it holds nothing/,
    );
  });
});

describe('in a folder', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'convoke-nn-')), 'run');
  });
  afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

  test('a run that was cut off goes on to the same weights', async () => {
    const whole = await run(new MemoryStore(), {});
    const store = checkpointFolder(folder);
    const controller = new AbortController();
    const callback: Callback = {
      onStep: ({ step }) => {
        if (step === 9) controller.abort();
      },
    };
    const cut = run(store, { everySteps: 2, signal: controller.signal, callbacks: [callback] });
    await expect(cut).rejects.toHaveProperty('name', 'AbortError');
    expect((await readdir(folder)).toSorted()).toEqual([
      'best.safetensors',
      'state.json',
      'step-9.safetensors',
    ]);
    // What processes that were killed in the middle of a save leave.
    await writeFile(join(folder, '.state.json.1-ab.tmp'), '{"tens');
    await writeFile(join(folder, '.step-11.safetensors.1-ab.tmp'), 'x');
    await writeFile(join(folder, 'step-11.safetensors'), 'cut off');
    expect(await run(checkpointFolder(folder), { resume: true })).toEqual(whole);
    expect((await readdir(folder)).toSorted()).toEqual([
      'best.safetensors',
      'state.json',
      'step-18.safetensors',
    ]);
    const { tensors } = await readSafetensors(join(folder, 'best.safetensors'));
    expect([...tensors.keys()].toSorted()).toEqual(Object.keys(whole.weights).toSorted());
  });

  test('a save that fails leaves the one before', async () => {
    const store = checkpointFolder(folder);
    await run(store, {});
    const before = (await store.load())!;
    const unsavable = new Map(before.tensors);
    unsavable.set('odd', { dtype: 'float32', shape: [5], data: new Float32Array(1) });
    const next = { state: { ...before.state, step: 99 }, tensors: unsavable };
    await expect(store.save(next)).rejects.toThrow('odd');
    expect(await store.load()).toEqual(before);
  });

  test('a damaged state file, and a folder that cannot be, are clear errors', async () => {
    const store = checkpointFolder(folder);
    expect(await store.load()).toBeNull();
    await store.prepare();
    await writeFile(join(folder, 'state.json'), '{"tensors": "../../etc/passwd"}');
    await expect(store.load()).rejects.toThrow(DataError);
    await writeFile(join(folder, 'state.json'), 'null');
    await expect(store.load()).rejects.toThrow(/is not a checkpoint/);
    await writeFile(join(folder, 'state.json'), 'no json');
    await expect(store.load()).rejects.toThrow(/is not JSON/);
    const inFile = checkpointFolder(join(folder, 'state.json', 'sub'));
    await expect(inFile.prepare()).rejects.toThrow(/cannot write in the folder/);
    await expect(run(inFile, {})).rejects.toThrow(DataError);
    expect(await readFile(join(folder, 'state.json'), 'utf8')).toBe('no json');
  });

  test('folders that are missing are made, one in another', async () => {
    const store = checkpointFolder(join(folder, 'runs', 'first'));
    await store.prepare();
    expect(await readdir(join(folder, 'runs'))).toEqual(['first']);
    await store.prepare();
  });

  test.runIf(process.platform === 'linux')(
    'a folder that takes no folders is a clear error, not an endless wait',
    async () => {
      const store = checkpointFolder('/proc/convoke/run');
      await expect(store.prepare()).rejects.toThrow(/cannot write in the folder \/proc/);
    },
  );
});
