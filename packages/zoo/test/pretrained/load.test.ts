// Published weights from a web server on this machine into a network: small made-up ones.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { js } from '@convoke/backend-js';
import { concat, Generator, noGrad, register, scope, use, type Tensor } from '@convoke/core';
import { Conv2d, Flatten, Linear, Module } from '@convoke/nn';
import { serializeSafetensors, WeightsError, type StoredTensor } from '@convoke/weights';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  createModel,
  defineArchitecture,
  findPretrained,
  loadPretrained,
  registerArchitecture,
  registerPretrained,
  type PretrainedWeights,
} from '../../src/index.ts';

let server: Server;
let origin: string;
let cache: string;
let requests: string[];
const files = new Map<string, Uint8Array>();

beforeAll(async () => {
  register(js);
  await use('js');
  cache = mkdtempSync(join(tmpdir(), 'convoke-pretrained-'));
  server = createServer((request, response) => {
    requests.push(request.url!);
    const body = files.get(request.url!);
    if (body) response.writeHead(200, { 'content-length': body.length }).end(body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  requests = [];
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
  rmSync(cache, { recursive: true, force: true });
});

async function bytesOf(model: Module): Promise<Uint8Array> {
  const stored = new Map<string, StoredTensor>();
  for (const [name, slot] of model.stateDict()) {
    const { dtype, shape } = slot;
    stored.set(name, { dtype, shape, data: await slot.data() } as StoredTensor);
  }
  return serializeSafetensors(stored);
}

async function valuesOf(model: Module): Promise<Map<string, number[]>> {
  const values = new Map<string, number[]>();
  for (const [name, slot] of model.stateDict()) values.set(name, [...(await slot.data())]);
  return values;
}

/** Weights of a network as the server has them. */
async function publish(
  model: string,
  path: string,
  changes: Partial<PretrainedWeights> = {},
): Promise<{ published: Module; entry: PretrainedWeights }> {
  const published = (await createModel(model, { generator: new Generator(7) })).eval();
  files.set(path, await bytesOf(published));
  const entry: PretrainedWeights = {
    ...findPretrained('resnet20_cifar', 'akamaster_cifar10'),
    model,
    options: {},
    origin: { kind: 'hub', reference: `${origin}${path}`, sha256: null, size: null },
    ...changes,
  };
  return { published, entry };
}

const logitsOf = (model: Module, make: () => Tensor): Promise<ArrayLike<number>> =>
  scope(() => noGrad(() => model.forward(make()))).data();

describe('loadPretrained', () => {
  it("gives the publisher's network, downloads once, and tells what was checked", async () => {
    const { published, entry } = await publish('resnet20_cifar', '/once.safetensors');
    registerPretrained({ ...entry, tag: 'once' });
    expect(() => registerPretrained({ ...entry, tag: 'once' })).toThrow(/'once' already/);
    requests = [];
    const progress: number[] = [];
    const first = await loadPretrained('resnet20_cifar', {
      tag: 'once',
      cache,
      onProgress: ({ loaded }) => progress.push(loaded),
    });
    const x = (): Tensor => new Generator(1).normal([2, 3, 32, 32]);
    expect(first.model.training).toBe(false);
    expect(await logitsOf(first.model, x)).toEqual(await logitsOf(published, x));
    expect(first.file!.integrity).toBe('first');
    expect(progress.at(-1)).toBe(files.get('/once.safetensors')!.length);
    expect(requests.length).toBeGreaterThan(0);
    requests = [];
    const again = await loadPretrained('resnet20_cifar', { tag: 'once', cache });
    expect(again.file).toMatchObject({ fromCache: true, integrity: 'recorded' });
    expect(requests).toEqual([]);
    for (const each of [published, first.model, again.model]) each.dispose();
  });

  it('adapts the first convolution: grey pictures give what the same three channels gave', async () => {
    const { published, entry } = await publish('resnet20_cifar', '/grey.safetensors');
    const { model } = await loadPretrained(entry, { cache, inChannels: 1 });
    const grey = (): Tensor => new Generator(2).normal([1, 1, 32, 32]);
    const three = (): Tensor => {
      const x = grey();
      return concat([x, x, x], { axis: 1 });
    };
    const [ours, theirs] = [await logitsOf(model, grey), await logitsOf(published, three)];
    for (let i = 0; i < theirs.length; i++) expect(ours[i]).toBeCloseTo(theirs[i]!, 4);
    model.dispose();
    published.dispose();
  });

  it('gives new classifiers, auxiliary ones too, for another number of classes', async () => {
    class TwoHeads extends Module {
      readonly stem: Conv2d;
      readonly flatten = new Flatten();
      readonly fc: Linear;
      readonly aux: Linear;
      constructor(inChannels: number, numClasses: number, generator: Generator | undefined) {
        super();
        this.stem = new Conv2d({ inChannels, outChannels: 2, kernelSize: 1, generator });
        this.fc = new Linear({ inFeatures: 32, outFeatures: numClasses, generator });
        this.aux = new Linear({ inFeatures: 32, outFeatures: numClasses, generator });
      }
      override forward(x: Tensor): Tensor {
        return scope(() => this.fc.forward(this.flatten.forward(this.stem.forward(x))));
      }
    }
    registerArchitecture(
      defineArchitecture({
        family: 'two_heads',
        paper: 'none',
        variants: { two_heads: { params: 668, macs: 416 } },
        input: { channels: 3, size: 4 },
        numClasses: 10,
        head: 'fc',
        stem: 'stem',
        build: (_, { numClasses, inChannels, generator }) =>
          new TwoHeads(inChannels, numClasses, generator),
      }),
    );
    const { published, entry } = await publish('two_heads', '/heads.safetensors');
    const generator = new Generator(3);
    const { model } = await loadPretrained(entry, { cache, numClasses: 4, generator });
    const [before, after] = [await valuesOf(published), await valuesOf(model)];
    expect(model.stateDict().get('fc.weight')!.shape).toEqual([4, 32]);
    expect(model.stateDict().get('aux.bias')!.shape).toEqual([4]);
    expect(after.get('stem.weight')).toEqual(before.get('stem.weight'));
    expect(after.get('fc.weight')).not.toEqual(before.get('fc.weight')!.slice(0, 128));
    model.dispose();
    published.dispose();
  });

  it('takes weights that come with a package', async () => {
    const { published, entry } = await publish('lenet5_modern', '/unused');
    const embedded: PretrainedWeights = {
      ...entry,
      inChannels: 1,
      origin: { kind: 'embedded', load: async () => bytesOf(published) },
    };
    const { model, file } = await loadPretrained(embedded);
    expect(file).toBeNull();
    expect(await valuesOf(model)).toEqual(await valuesOf(published));
    model.dispose();
    published.dispose();
  });

  it('asks for the licence to be accepted, and names it, before anything is fetched', async () => {
    const { published, entry } = await publish('resnet20_cifar', '/licence.safetensors');
    published.dispose();
    requests = [];
    const under = (weights: string | null): PretrainedWeights => ({
      ...entry,
      licence: { code: 'MIT', weights, data: null },
    });
    const failure = await loadPretrained(under('CC-BY-NC-4.0'), { cache }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(WeightsError);
    expect(failure).toMatchObject({ code: 'licence' });
    expect(String(failure)).toMatch(/CC-BY-NC-4.0.*acceptLicense: true/);
    await expect(loadPretrained(under(null), { cache })).rejects.toThrow(
      /without a stated licence \(code: MIT\)/,
    );
    expect(requests).toEqual([]);
    const { model } = await loadPretrained(under(null), { cache, acceptLicense: true });
    model.dispose();
  });

  it('refuses a file of another hash, one that does not fit, and an aborted call', async () => {
    const { published, entry } = await publish('resnet20_cifar', '/wrong.safetensors');
    published.dispose();
    const { reference } = entry.origin as { reference: string };
    const hashed: PretrainedWeights = {
      ...entry,
      origin: { kind: 'hub', reference, sha256: '00000000', size: null },
    };
    await expect(loadPretrained(hashed, { cache, retries: 0 })).rejects.toThrow(
      /has the sha256 .* not 00000000/,
    );
    await expect(
      loadPretrained({ ...entry, model: 'resnet32_cifar' }, { cache }),
    ).rejects.toMatchObject({ code: 'names' });
    const reason = new Error('enough');
    await expect(loadPretrained(entry, { cache, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  });

  it('says which tags there are where none is given', async () => {
    await expect(loadPretrained('resnet50')).rejects.toThrow(/choose a tag/);
    await expect(loadPretrained('resnet_50')).rejects.toThrow(/near it are/);
  });
});
