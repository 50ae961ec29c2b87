// A new architecture is one file: it gets all its tests by being in the folder, and they find what is wrong in it.

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createModel, listModels, registerArchitecture } from '../src/index.ts';
import { architectureCases, describeArchitecture } from '../src/testkit.ts';
import { useBackend } from './architectures/lab.ts';
import { architecturesIn } from './architectures.ts';
import { goldenOf } from './fixtures.ts';

const source = `
import { BatchNorm2d, Conv2d, Flatten, AdaptiveAvgPool2d, Linear, ReLU, Sequential } from '@convoke/nn';
import { defineArchitecture } from 'SOURCES/index.ts';

export const stack = defineArchitecture({
  family: 'stack',
  paper: 'none',
  // Of the first convolution 9 weights a channel and filter, of the second 9 each, two vectors a normalisation, and the classifier.
  variants: {
    stack_4: { params: 3 * 9 * 4 + 9 * 4 * 4 + 4 * 4 + 4 * 5 + 5, macs: (3 * 9 * 4 + 9 * 4 * 4) * 16 * 16 + 4 * 5 },
    stack_8: { params: 3 * 9 * 8 + 9 * 8 * 8 + 4 * 8 + 8 * 5 + 5, macs: (3 * 9 * 8 + 9 * 8 * 8) * 16 * 16 + 8 * 5 },
  },
  input: { channels: 3, size: 16, minSize: 1 },
  numClasses: 5,
  head: 'fc',
  stem: 'conv1',
  build(variant, { numClasses, inChannels, generator }) {
    const outChannels = variant === 'stack_4' ? 4 : 8;
    const conv = { outChannels, kernelSize: 3, padding: 1, bias: false, generator };
    return new Sequential({
      conv1: new Conv2d({ ...conv, inChannels }),
      bn1: new BatchNorm2d({ channels: outChannels }),
      relu1: new ReLU(),
      conv2: new Conv2d({ ...conv, inChannels: outChannels }),
      bn2: new BatchNorm2d({ channels: outChannels }),
      relu2: new ReLU(),
      avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
      flatten: new Flatten(),
      fc: new Linear({ inFeatures: outChannels, outFeatures: numClasses, generator }),
    });
  },
});
`;

const work = mkdtempSync(join(tmpdir(), 'convoke-architecture-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

beforeAll(async () => {
  const packages = fileURLToPath(new URL('../node_modules', import.meta.url));
  symlinkSync(packages, join(work, 'node_modules'), 'junction');
  await useBackend('js');
});

/** The only architecture of a file with texts replaced. */
async function architectureOf(file: string, changes: readonly (readonly [string, string])[] = []) {
  const sources = fileURLToPath(new URL('../src', import.meta.url));
  const folder = mkdtempSync(join(work, 'src-'));
  let text = source.replace('SOURCES', sources);
  for (const [from, to] of changes) text = text.replace(from, to);
  writeFileSync(join(folder, file), text);
  const [architecture, ...others] = await architecturesIn(folder);
  expect(others).toEqual([]);
  return architecture!;
}

/** Messages of the cases that fail, by their ids. */
async function failuresOf(architecture: Awaited<ReturnType<typeof architectureOf>>) {
  const failures: Record<string, string> = {};
  for (const { id, run } of architectureCases(architecture)) {
    await run().catch((error: Error) => (failures[id] = error.message));
  }
  return failures;
}

describe('a file with an architecture of two variants', () => {
  it('gets seven tests a variant, which pass', async () => {
    const architecture = await architectureOf('stack.ts');
    const ran: string[] = [];
    const pending: Promise<void>[] = [];
    let group = '';
    const runner = {
      describe: (name: string, body: () => void) => ((group = name), body()),
      test: (name: string, body: () => Promise<void>) => {
        ran.push(`${group}/${name}`);
        pending.push(body());
      },
    };
    describeArchitecture(runner, architecture);
    await Promise.all(pending);
    expect(ran).toEqual(architectureCases(architecture).map(({ id }) => id));
    expect(ran.filter((id) => id.startsWith('stack_4/'))).toHaveLength(7);
    expect(ran.filter((id) => id.startsWith('stack_8/'))).toHaveLength(7);
  });

  it('makes networks that are created by name', async () => {
    registerArchitecture(await architectureOf('other.ts'));
    expect(await listModels('stack')).toEqual(['stack_4', 'stack_8']);
    const model = await createModel('stack_8', { numClasses: 2 });
    expect(model.moduleAt('fc').parameters()[0]!.shape).toEqual([2, 8]);
    model.dispose();
  });
});

describe('a mistake in the file', () => {
  it.each([
    ['params: 3 * 9 * 4', 'params: 1 + 3 * 9 * 4', 'stack_4/has the parameters'],
    ['minSize: 1 ', 'minSize: 4 ', 'stack_4/takes images from the size it states'],
    ['outFeatures: numClasses', 'outFeatures: 5', 'stack_4/takes another number of classes'],
    ["head: 'fc'", "head: 'conv2'", 'stack_4/takes a new head'],
    ['conv1: new', "['other.conv1']: new", 'stack_8/takes another number of classes'],
  ])('%s written as %s fails its test', async (from, to, id) => {
    const failures = await failuresOf(await architectureOf('wrong.ts', [[from, to]]));
    expect(Object.keys(failures).some((failed) => failed.startsWith(id))).toBe(true);
  });

  it('in a normalisation that goes on learning while frozen fails the test of freezing', async () => {
    const restless = `class Restless extends BatchNorm2d {
      forward(x) {
        const { frozen } = this;
        this.frozen = false;
        const y = super.forward(x);
        this.frozen = frozen;
        return y;
      }
    }
    export const stack`;
    const file = await architectureOf('frozen.ts', [
      ['export const stack', restless],
      ['new BatchNorm2d', 'new Restless'],
    ]);
    const failures = await failuresOf(file);
    const id = 'keeps what is frozen, statistics too, and trains its head';
    expect(Object.keys(failures)).toEqual([`stack_4/${id}`, `stack_8/${id}`]);
    expect(failures[`stack_4/${id}`]).toMatch(/bn1\.running_mean/);
  });
});

it('a golden file adds its comparisons; select leaves out', async () => {
  const golden = goldenOf('lenet5_modern')!;
  const { lenet } = await import('../src/architectures/lenet.ts');
  const cases = architectureCases(lenet, {
    golden: (name) => (name === golden.arch ? golden : null),
    select: ({ id, computes }) => computes && id.includes('PyTorch'),
  });
  expect(cases.map(({ id }) => id)).toEqual([
    "lenet5_modern/gives PyTorch's logits and stages at 1x1x28x28",
    "lenet5_modern/gives PyTorch's logits and stages at 2x1x28x28",
    "lenet5_modern/trains as PyTorch's",
  ]);
  const other = { ...golden, gain: 1.01 * golden.gain };
  const wrong = architectureCases(lenet, { golden: () => other });
  const trains = wrong.find(({ id }) => id === "lenet5_modern/trains as PyTorch's")!;
  await expect(trains.run()).rejects.toThrow(/quantities are off/);
});
