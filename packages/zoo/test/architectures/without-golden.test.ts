// Networks of which there is no golden file, against PyTorch: fixtures/make.py made the numbers.

import { readFileSync } from 'node:fs';

import { beforeAll, expect, it } from 'vitest';

import { bnInception } from '../../src/architectures/bn-inception.ts';
import { googlenet } from '../../src/architectures/googlenet.ts';
import { inceptionResNetV2 } from '../../src/architectures/inception-resnet-v2.ts';
import { mobilenetV1 } from '../../src/architectures/mobilenet-v1.ts';
import { mobilenetV2 } from '../../src/architectures/mobilenet-v2.ts';
import { mobilenetV3 } from '../../src/architectures/mobilenet-v3.ts';
import { squeezenet } from '../../src/architectures/squeezenet.ts';
import { build, fill, logitsOf, relativeError, useBackend } from './lab.ts';
import type { Architecture } from '../../src/architecture.ts';

const { shape, step, logits } = JSON.parse(
  readFileSync(new URL('../fixtures/logits.json', import.meta.url), 'utf8'),
) as { shape: number[]; step: number; logits: Record<string, number[]> };

const architectures = [
  bnInception,
  googlenet,
  inceptionResNetV2,
  mobilenetV1,
  mobilenetV2,
  mobilenetV3,
  squeezenet,
] as unknown as readonly Architecture[];

beforeAll(async () => {
  await useBackend('workers');
});

it.each(Object.entries(logits))('%s gives the logits of PyTorch', async (name, expected) => {
  const architecture = architectures.find(({ names }) => names.includes(name))!;
  const model = fill(build(architecture, name));
  const all = Array.from(await logitsOf(model, shape));
  model.dispose();
  expect(all).toHaveLength(1000);
  const actual = all.filter((_, i) => i % step === 0);
  expect(relativeError(actual, expected)).toBeLessThan(1e-5);
});
