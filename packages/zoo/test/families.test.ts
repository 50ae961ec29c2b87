// Every network of the zoo, without a list to edit: parameters, multiply-adds and names, and PyTorch's results where a golden
// file is there.

import { execFileSync } from 'node:child_process';

import { js } from '@convoke/backend-js';
import { workers } from '@convoke/backend-workers';
import { createMeta, current, register, use } from '@convoke/core';
import { summary } from '@convoke/nn';
import { beforeAll, describe, expect, it } from 'vitest';

import { fillWithGolden, runGoldenCase } from '../src/golden.ts';
import { createModel, listModels, modelInfo } from '../src/index.ts';
import { goldenNames, goldenOf } from './fixtures.ts';

/** Networks with more parameters are compared by `npm run golden` only: they would take minutes here. */
const LARGE = 15e6;

const names = await listModels();

beforeAll(async () => {
  register(js);
  register(workers);
  await use('workers', { precision: 'strict' });
});

it('the map of families is what the folder of architectures holds', () => {
  const script = new URL('../scripts/families.mjs', import.meta.url).pathname;
  const check = [script, '--check'];
  expect(() =>
    execFileSync(process.execPath, ['--conditions=@convoke/source', ...check]),
  ).not.toThrow();
});

it('every golden network can be created', () => {
  expect(goldenNames.length).toBeGreaterThan(30);
  for (const name of goldenNames) expect(names).toContain(name);
});

describe.each(names)('%s', (name) => {
  it('has the parameters and multiply-adds it states', async () => {
    const info = await modelInfo(name);
    const meta = createMeta();
    const model = await createModel(name, { backend: meta });
    const { channels, size } = info.input;
    const counted = summary(model, [1, channels, size, size]);
    const inside = counted.parameters;
    expect(inside).toBe(info.params);
    expect(counted.macs).toBe(info.macs);
    model.dispose();
  });

  it('takes another number of classes and of channels', async () => {
    const { input, head, stem } = await modelInfo(name);
    const meta = createMeta();
    const model = await createModel(name, { backend: meta, numClasses: 7, inChannels: 2 });
    const { layers } = summary(model, [1, 2, input.size, input.size]);
    expect(layers.at(-1)!.activationShape[1]).toBe(7);
    expect(model.moduleAt(head)).toBeDefined();
    expect([...model.moduleAt(stem).stateDict()][0]![1].shape[1]).toBe(2);
    model.dispose();
  });

  const golden = goldenOf(name);
  if (!golden) return;

  it("has PyTorch's names, shapes and counts", async () => {
    const info = await modelInfo(name);
    const model = await createModel(name, { backend: createMeta() });
    const own = [...model.stateDict()].map(([key, { shape }]) => [key, shape]);
    expect(own).toEqual(golden.state_dict);
    expect([...model.namedParameters().keys()]).toEqual(golden.parameters);
    expect(info.params).toBe(golden.params);
    expect(info.macs).toBe(golden.macs);
    expect(info.effectiveParams).toBe(golden.params_effective ?? golden.params);
    model.dispose();
  });

  if (golden.params > LARGE) return;

  it.each(golden.cases.map((one, k) => [one.input.shape.join('x'), k] as const))(
    "gives PyTorch's logits and stages at %s",
    async (_, k) => {
      const model = (await createModel(name, { backend: createMeta() })).eval();
      fillWithGolden(model, golden.gain, current());
      const deviations = await runGoldenCase(model, golden.cases[k]!);
      expect(deviations.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
      model.dispose();
    },
  );
});
