import { describe, expect, it } from 'vitest';

import { mapWeights, openWeights as openAnywhere } from '../src/index.ts';
import { openWeights, readWeights } from '../src/node.ts';
import { expectClose, fixture, fixturePath, rejection } from './fixtures.ts';
import { runSmallNetwork, smallNetwork } from './network.ts';

interface Expected {
  readonly input: { data: number[] };
  readonly output: { data: number[] };
  readonly weights: Record<string, { shape: number[]; data: number[] }>;
}

const expectedOf = (name: string): Expected =>
  JSON.parse(new TextDecoder().decode(fixture(`tfjs/${name}.expected.json`))) as Expected;
const modelPath = (name: string): string => fixturePath(`tfjs/${name}.json`);
const textOf = (name: string): string => new TextDecoder().decode(fixture(`tfjs/${name}.json`));

describe.each(['plain', 'uint8', 'uint16', 'float16'])('a TensorFlow.js model, %s', (name) => {
  it('gives the weights that TensorFlow.js gives', async () => {
    const { tensors, format, layout } = await readWeights(modelPath(name));
    expect([format, layout]).toEqual(['tfjs', 'keras']);
    const { weights } = expectedOf(name);
    expect([...tensors.keys()].toSorted()).toEqual(Object.keys(weights).toSorted());
    for (const [key, { shape, data }] of Object.entries(weights)) {
      expect(tensors.get(key)!.shape).toEqual(shape);
      expect([...tensors.get(key)!.data]).toEqual(data.map(Math.fround));
    }
  });

  it('predicts as TensorFlow.js does once mapped to PyTorch layouts', async () => {
    const file = await openWeights(modelPath(name));
    const { tensors, report } = await mapWeights(file, smallNetwork, {
      flattened: { 'fc.weight': [8, 4, 3] },
    });
    await file.close();
    const { input, output } = expectedOf(name);
    expectClose(runSmallNetwork(tensors, input.data), output.data, 1e-5);
    expect(report.transposed).toEqual(['stem.weight', 'dw.weight', 'fc.weight']);
    expect(report.renamed).toContainEqual({ from: 'linear/kernel', to: 'fc.weight' });
    expect(report.defaulted).toEqual(['stem_bn.num_batches_tracked']);
  });
});

describe('a TensorFlow.js model', () => {
  it('folds its batch normalisation into a network without one, to the same predictions', async () => {
    const network = smallNetwork.filter(([key]) => !key.startsWith('stem_bn'));
    const content = await readWeights(modelPath('plain'));
    const { tensors, report } = await mapWeights(content, network, {
      flattened: { 'fc.weight': [8, 4, 3] },
      batchNormEpsilon: 1e-3,
    });
    const { input, output } = expectedOf('plain');
    expectClose(runSmallNetwork(tensors, input.data), output.data, 1e-5);
    expect(report.folded).toEqual(['stem']);
  });

  it('takes its shards from the caller where it comes as bytes', async () => {
    const file = await openAnywhere(fixture('tfjs/uint8.json'), {
      siblings: (path) => fixture(`tfjs/${path}`),
    });
    expect(file.entries.size).toBe(9);
    expect((await rejection(openAnywhere(fixture('tfjs/uint8.json')))).message).toContain(
      '`siblings`',
    );
  });

  it('follows no path out of its folder', async () => {
    for (const path of [
      '../secret.bin',
      '/etc/passwd',
      'a/../../b',
      'http://x/y',
      String.raw`..\x`,
    ]) {
      const json = textOf('uint8').replace(
        'uint8-shard1of1.bin',
        JSON.stringify(path).slice(1, -1),
      );
      const bytes = new TextEncoder().encode(json);
      const error = await rejection(
        openAnywhere(bytes, { siblings: () => fixture('tfjs/uint8-shard1of1.bin') }),
      );
      expect(error.message).toContain('plain relative paths');
    }
  });

  it('says which tensor is cut off, and that a shard has bytes left', async () => {
    const shard = fixture('tfjs/uint8-shard1of1.bin');
    const open = (bytes: Uint8Array): Promise<unknown> =>
      openAnywhere(fixture('tfjs/uint8.json'), { siblings: () => bytes });
    expect((await rejection(open(shard.subarray(0, 100)))).message).toMatch(
      /tensor '.*lie outside the 100/,
    );
    expect((await rejection(open(new Uint8Array(700)))).message).toContain(
      '700 bytes, but the manifest describes 649',
    );
  });
});
