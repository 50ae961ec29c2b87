import { noGrad } from '@convoke/core';
import { readSafetensors } from '@convoke/weights/node';
import { describe, expect, it } from 'vitest';

import { squeezenet } from '../../src/architectures/squeezenet.ts';
import {
  backendNames,
  build,
  indexOfLargest,
  photosOf,
  relativeError,
  sharedPaths,
  useBackend,
} from './lab.ts';

const mean = [0.485, 0.456, 0.406];
const std = [0.229, 0.224, 0.225];

describe.each(backendNames)('SqueezeNet 1.1 with the published weights on %s', (name) => {
  it('gives the logits of torchvision for six photos, and knows an Egyptian cat and an espresso', async () => {
    await useBackend(name);
    const files = sharedPaths(['models/squeezenet1_1.fp16.safetensors']);
    const photos = await photosOf(
      'squeezenet1_1',
      (value, channel) => (value / 255 - mean[channel]!) / std[channel]!,
    );
    if (!files || !photos) return;
    const model = build(squeezenet, 'squeezenet1_1');
    model.loadStateDict((await readSafetensors(files[0]!)).tensors);
    const answers = new Map<string, number>();
    const errors: number[] = [];
    for (const photo of photos) {
      const logits = await noGrad(() => model.forward(photo.x)).data();
      errors.push(relativeError(logits, photo.logits));
      answers.set(photo.name, indexOfLargest(logits));
    }
    expect(errors).toHaveLength(6);
    expect(Math.max(...errors)).toBeLessThan(1e-3);
    expect(answers.get('chelsea-cat')).toBe(285);
    expect(answers.get('coffee')).toBe(967);
  });
});
