// The weights that come along tell as many images right as they say.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { workers } from '@convoke/backend-workers';
import { register, use } from '@convoke/core';
import { batches, normalize } from '@convoke/data';
import { loadIdxDataset } from '@convoke/data/node';
import { SGD, Trainer } from '@convoke/nn';
import { parseSafetensors, toHostTensors } from '@convoke/weights';
import { beforeAll, describe, expect, it } from 'vitest';

import type { EmbeddedWeights } from '../src/embedded-weights.ts';
import { createModel, loadPretrained } from '../src/index.ts';
import { lenet5FashionMnist } from '../src/weights/lenet5-fashion-mnist.ts';
import { lenet5Mnist } from '../src/weights/lenet5-mnist.ts';

const folder = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const shared = resolve(process.env['CONVOKE_SHARED'] ?? folder('../../../../shared'));
const mnist = resolve(shared, 'data/mnist');
if (!existsSync(mnist)) {
  console.warn(`\n*** NOT TESTED: ${mnist} is missing; set CONVOKE_SHARED ***\n`);
}

beforeAll(async () => {
  register(workers);
  await use('workers', { precision: 'strict' });
});

async function accuracyOn(images: string, weights: EmbeddedWeights): Promise<number> {
  const test = normalize(await loadIdxDataset(images, 't10k'), weights);
  const model = await createModel(weights.architecture);
  model.loadStateDict(toHostTensors(parseSafetensors(weights.bytes()).tensors));
  const trainer = new Trainer({ model, optimizer: new SGD(model.namedParameters(), { lr: 0 }) });
  const { accuracy } = await trainer.evaluate(batches(test, { batchSize: 500 }));
  model.dispose();
  return accuracy!;
}

describe.each([
  ['lenet5-mnist', lenet5Mnist],
  ['lenet5-fashion-mnist', lenet5FashionMnist],
])('%s', (name, weights) => {
  it('has 16 bits a weight and a name a class', () => {
    const { tensors } = parseSafetensors(weights.bytes());
    const stored = [...tensors.values()];
    expect(new Set(stored.map(({ dtype }) => dtype))).toEqual(new Set(['float16']));
    expect(stored.reduce((sum, { data }) => sum + data.length, 0)).toBe(61_706);
    expect(weights.classNames).toHaveLength(10);
  });

  it('is in the catalogue, with the same statistics and accuracy', async () => {
    const tag = name.replace('lenet5', 'convoke').replaceAll('-', '_');
    const { model, weights: entry } = await loadPretrained(weights.architecture, { tag });
    const { mean, std, accuracy } = weights;
    expect(entry.preprocess).toMatchObject({ mean: [mean], std: [std] });
    expect(entry.top1).toBeCloseTo(100 * accuracy, 9);
    const { tensors } = parseSafetensors(weights.bytes());
    const bias = tensors.get('fc3.bias')!;
    expect(await model.stateDict().get('fc3.bias')!.data()).toEqual(
      toHostTensors(new Map([['fc3.bias', bias]])).get('fc3.bias')!.data,
    );
    model.dispose();
  });
});

it.skipIf(!existsSync(mnist))('lenet5-mnist is as accurate as stated', async () => {
  expect(Math.abs((await accuracyOn(mnist, lenet5Mnist)) - lenet5Mnist.accuracy)).toBeLessThan(
    1e-3,
  );
});

it('lenet5-fashion-mnist is as accurate as stated, as far as 500 images can tell', async () => {
  const { accuracy } = lenet5FashionMnist;
  const sample = await accuracyOn(
    folder('../../../apps/cli/data/fashion-mnist'),
    lenet5FashionMnist,
  );
  const deviation = Math.sqrt((accuracy * (1 - accuracy)) / 500);
  expect(Math.abs(sample - accuracy)).toBeLessThan(3 * deviation);
});
