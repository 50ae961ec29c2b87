// Classifying in Node: every kind of source, batches, and what is computed, against the same arithmetic written out.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { js } from '@convoke/backend-js';
import { Generator, noGrad, register, scope, tensor, use } from '@convoke/core';
import { Image, IMAGENET_MEAN, IMAGENET_STD } from '@convoke/image';
import type { Module } from '@convoke/nn';
import { serializeSafetensors, type StoredTensor } from '@convoke/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  classNames,
  createModel,
  findPretrained,
  type ClassSet,
  type PretrainedWeights,
} from '../src/index.ts';
import { createClassifier } from '../src/node.ts';
import { sharedPaths } from './architectures/lab.ts';

let folder: string;
let network: Module;
let weights: PretrainedWeights;

const pixelsOf = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 7919 * seed + (i >> 5) * 31) % 256);

/** A PPM file, which is decoded without sharp. */
function pictureOf(seed: number): Uint8Array<ArrayBuffer> {
  const head = new TextEncoder().encode('P6 32 32 255\n');
  const bytes = new Uint8Array(head.length + 32 * 32 * 3);
  bytes.set(head);
  bytes.set(pixelsOf(seed), head.length);
  return bytes;
}

/** Probabilities by the preprocessing and the softmax written out. */
async function expectedOf(seed: number): Promise<number[]> {
  const pixels = pixelsOf(seed);
  const data = Float32Array.from({ length: 3 * 1024 }, (_, i) => {
    const channel = Math.floor(i / 1024);
    const value = pixels[(i % 1024) * 3 + channel]! / 255;
    return (value - IMAGENET_MEAN[channel]!) / IMAGENET_STD[channel]!;
  });
  const logits = await scope(() =>
    noGrad(() => network.forward(tensor(data, { shape: [1, 3, 32, 32] }))),
  ).data();
  const powers = Array.from(logits, (logit) => Math.exp(logit));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

beforeAll(async () => {
  register(js);
  await use('js');
  folder = mkdtempSync(join(tmpdir(), 'convoke-classify-'));
  network = (await createModel('resnet20_cifar', { generator: new Generator(5) })).eval();
  const stored = new Map<string, StoredTensor>();
  for (const [name, slot] of network.stateDict()) {
    const { dtype, shape } = slot;
    stored.set(name, { dtype, shape, data: await slot.data() } as StoredTensor);
  }
  weights = {
    ...findPretrained('resnet20_cifar', 'akamaster_cifar10'),
    options: {},
    origin: { kind: 'embedded', load: async () => serializeSafetensors(stored) },
  };
});
afterAll(() => {
  network.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describe('createClassifier', () => {
  it('gives the same for a path, a URL, bytes, a Blob and an Image: what the arithmetic gives', async () => {
    const classifier = await createClassifier(weights);
    const path = join(folder, 'picture.ppm');
    writeFileSync(path, pictureOf(1));
    const expected = await expectedOf(1);
    const best = expected.indexOf(Math.max(...expected));
    const sources = [
      path,
      pathToFileURL(path),
      pictureOf(1),
      pictureOf(1).buffer,
      new Blob([pictureOf(1)]),
      new Image({ width: 32, height: 32, channels: 3, data: pixelsOf(1) }),
    ];
    for (const source of sources) {
      const predictions = await classifier.classify(source, { top: 10 });
      expect(predictions[0]).toMatchObject({
        index: best,
        label: (await classNames('cifar-10'))![best],
      });
      for (const { index, probability } of predictions)
        expect(probability).toBeCloseTo(expected[index]!, 5);
    }
    classifier.dispose();
  });

  it('takes many in batches, in their order, tells how far it is, and leaves no tensors', async () => {
    const classifier = await createClassifier(weights);
    const { handles, bytes } = classifier.backend.memory();
    const progress: number[] = [];
    const results = await classifier.classifyAll([1, 2, 3].map(pictureOf), {
      batchSize: 2,
      top: 1,
      onProgress: ({ done, total }) => progress.push(done / total),
    });
    expect(classifier.backend.memory()).toMatchObject({ handles, bytes });
    expect(progress).toEqual([2 / 3, 1]);
    for (const [i, [first, ...rest]] of results.entries()) {
      const expected = await expectedOf(i + 1);
      expect(rest).toEqual([]);
      expect(first!.probability).toBeCloseTo(Math.max(...expected), 5);
    }
    expect(await classifier.classifyAll([])).toEqual([]);
    classifier.dispose();
    await expect(classifier.classify(pictureOf(1))).rejects.toThrow(/disposed/);
  });

  it('names what it cannot do', async () => {
    const unknown = { ...weights, preprocess: null };
    await expect(createClassifier(unknown)).rejects.toThrow(/akamaster_cifar10.*preprocess/);
    await expect(createClassifier(weights, { labels: ['cat'] })).rejects.toThrow(
      /1 labels for the 10 classes/,
    );
    await expect(createClassifier('resnet18')).rejects.toThrow(/choose a tag/);
    const classifier = await createClassifier(weights, {
      labels: Array.from({ length: 10 }, (_, i) => `kind ${i}`),
    });
    const [first] = await classifier.classify(pictureOf(2));
    expect(first!.label).toBe(`kind ${first!.index}`);
    await expect(classifier.classify(pictureOf(1).subarray(0, 99))).rejects.toMatchObject({
      name: 'ImageError',
    });
    await expect(classifier.classify(pictureOf(1), { top: 0 })).rejects.toThrow(/top/);
    const reason = new Error('enough');
    await expect(
      classifier.classify(pictureOf(1), { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason);
    classifier.dispose();
  });
});

describe('classNames', () => {
  it("has ImageNet's and CIFAR-10's in their order", async () => {
    const paths = sharedPaths([
      'data/labels/imagenet_synset_words.txt',
      'data/cifar10/batches.meta.txt',
    ]);
    if (!paths) return;
    const linesOf = (path: string): string[] => readFileSync(path, 'utf8').trim().split('\n');
    const first = linesOf(paths[0]!).map((line) => line.replace(/^\S+ /, '').split(',')[0]);
    expect(await classNames('imagenet-1k')).toEqual(first);
    expect(await classNames('cifar-10')).toEqual(linesOf(paths[1]!));
  });

  it('has as many names as there are classes, or none', async () => {
    const sets: readonly (readonly [ClassSet, number | undefined])[] = [
      ['mnist', 10],
      ['fashion-mnist', 10],
      ['cifar-100', undefined],
    ];
    for (const [set, count] of sets) expect((await classNames(set))?.length).toBe(count);
  });
});
