// The catalogue's options, preprocessing and class names together, on a publisher's own file and pictures with known answers.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { Image } from '@convoke/image';
import { openWeights } from '@convoke/weights/node';
import { expect, it } from 'vitest';

import { findPretrained } from '../../src/index.ts';
import { createClassifier } from '../../src/node.ts';
import { sharedPaths, useBackend } from '../architectures/lab.ts';

/** A label, then the red, green and blue plane of 32x32 pixels. */
const RECORD = 1 + 3 * 1024;

it("ResNet-20 tells 915 of CIFAR-10's first 1,000 test pictures right, give or take 2", async () => {
  const paths = sharedPaths([
    'models/resnet20_cifar10.safetensors',
    'data/cifar10/lossless_test_batch_first1000.bin.gz',
  ]);
  if (!paths) return;
  await useBackend('workers');
  const classifier = await createClassifier({
    ...findPretrained('resnet20_cifar', 'akamaster_cifar10'),
    origin: { kind: 'file', open: () => openWeights(paths[0]!) },
  });
  const records = gunzipSync(readFileSync(paths[1]!));
  const starts = Array.from({ length: records.length / RECORD }, (_, i) => i * RECORD);
  const pictures = starts.map((start) => {
    const data = new Uint8Array(3 * 1024);
    for (let pixel = 0; pixel < 1024; pixel++) {
      for (let channel = 0; channel < 3; channel++)
        data[3 * pixel + channel] = records[start + 1 + 1024 * channel + pixel]!;
    }
    return new Image({ width: 32, height: 32, channels: 3, data });
  });
  const results = await classifier.classifyAll(pictures, { batchSize: 100, top: 1 });
  const right = starts.filter((start, i) => results[i]![0]!.index === records[start]!);
  expect(pictures).toHaveLength(1000);
  expect(Math.abs(right.length - 915)).toBeLessThanOrEqual(2);
  classifier.dispose();
});
