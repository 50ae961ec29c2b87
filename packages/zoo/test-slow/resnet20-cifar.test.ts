// A network that its authors trained on CIFAR-10, on test images of which it is known how many it knows.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { noGrad, scope, tensor } from '@convoke/core';
import { readWeights } from '@convoke/weights/node';
import { describe, expect, it } from 'vitest';

import { createModel } from '../src/index.ts';
import {
  backendNames,
  indexOfLargest,
  sharedPaths,
  useBackend,
} from '../test/architectures/lab.ts';

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];
const PIXELS = 32 * 32;
const RECORD = 1 + 3 * PIXELS;
const BATCH = 100;

const files = sharedPaths([
  'models/resnet20_cifar10.safetensors',
  'data/cifar10/lossless_test_batch_first1000.bin.gz',
]);

describe.skipIf(!files).each(backendNames)('ResNet-20 on %s', (name) => {
  it('knows 915 of the first 1,000 test images of CIFAR-10, give or take 2', async () => {
    await useBackend(name);
    // These weights pad the shortcuts' channels on both sides, and call the classifier linear.
    const model = (await createModel('resnet20_cifar', { shortcut: 'A-centred' })).eval();
    const { tensors } = await readWeights(files![0]!);
    const renamed = [...tensors].map(
      ([key, value]) => [key.replace(/^linear\./, 'fc.'), value] as const,
    );
    model.loadStateDict(new Map(renamed));

    const records = gunzipSync(readFileSync(files![1]!));
    expect(records.length).toBe(1000 * RECORD);
    let known = 0;
    for (let first = 0; first < 1000; first += BATCH) {
      const data = new Float32Array(BATCH * 3 * PIXELS);
      for (let i = 0; i < BATCH; i++) {
        const at = (first + i) * RECORD + 1;
        for (let k = 0; k < 3 * PIXELS; k++) {
          const channel = Math.floor(k / PIXELS);
          data[i * 3 * PIXELS + k] = (records[at + k]! / 255 - mean[channel]!) / std[channel]!;
        }
      }
      const logits = await scope(() =>
        noGrad(() => model.forward(tensor(data, { shape: [BATCH, 3, 32, 32] }))).data(),
      );
      for (let i = 0; i < BATCH; i++) {
        const answer = indexOfLargest(logits.subarray(i * 10, (i + 1) * 10));
        if (answer === records[(first + i) * RECORD]) known++;
      }
    }
    expect(Math.abs(known - 915)).toBeLessThanOrEqual(2);
    model.dispose();
  });
});
