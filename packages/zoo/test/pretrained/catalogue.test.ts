// The catalogue against what the publishers say: facts as they were read from their sources, names of parameters from state
// dicts of their software and from their files.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { createMeta } from '@convoke/core';
import { summary } from '@convoke/nn';
import { planMapping, type NamedShape } from '@convoke/weights';
import { openWeights } from '@convoke/weights/node';
import { describe, expect, it } from 'vitest';

import type { GoldenNetwork } from '../../src/golden.ts';
import {
  createModel,
  findPretrained,
  listModels,
  listPretrained,
  modelInfo,
  needsAcceptance,
  type PretrainedWeights,
} from '../../src/index.ts';
import { sharedPaths } from '../architectures/lab.ts';

const titleOf = ({ model, tag }: PretrainedWeights): string => `${model} ${tag}`;
const entries = listPretrained().map((entry) => [titleOf(entry), entry] as const);

const build = ({ model, options, numClasses, inChannels }: PretrainedWeights) =>
  createModel(model, { ...options, numClasses, inChannels, backend: createMeta() });

describe('verified weights', () => {
  /** Files of the publishers themselves. */
  const files: Readonly<Record<string, string>> = {
    'resnet20_cifar akamaster_cifar10': 'models/resnet20_cifar10.safetensors',
    'mobilenet_v1_0.75_224 keras': 'models/mobilenet_v1_0.75_224.keras.safetensors',
  };

  /** Names and shapes in the publisher's file, or of the model in its software. */
  async function published(entry: PretrainedWeights): Promise<readonly NamedShape[] | null> {
    const own = files[titleOf(entry)];
    if (own !== undefined) {
      const paths = sharedPaths([own]);
      if (!paths) return null;
      const file = await openWeights(paths[0]!);
      await file.close();
      return [...file.entries].map(([name, { shape }]) => [name, shape] as const);
    }
    const golden = new URL(`../fixtures/zoo/${entry.model}.json.gz`, import.meta.url);
    const { state_dict } = JSON.parse(gunzipSync(readFileSync(golden)).toString()) as GoldenNetwork;
    return state_dict as readonly NamedShape[];
  }

  it.each(entries.filter(([, { verified }]) => verified))(
    '%s: every name and shape is where the network has it',
    async (_, entry) => {
      const names = await published(entry);
      if (!names) return;
      const model = await build(entry);
      const slots = [...model.stateDict()].map(([name, { shape }]) => [name, shape] as const);
      const { report } = planMapping(names, slots, entry.mapping);
      expect(report.missing).toEqual([]);
      expect(report.mismatched).toEqual([]);
      const allowed = (entry.mapping?.allowUnexpected ?? []).map(String);
      const surplus = report.unexpected.filter(
        (name) => !allowed.some((start) => name.startsWith(start)),
      );
      expect(surplus).toEqual([]);
      model.dispose();
    },
  );
});

describe('facts', () => {
  interface Published {
    readonly model: string;
    readonly url?: string;
    readonly hf_hub_id?: string;
    readonly weights_enum?: string;
    readonly sha256?: string | null;
    readonly sha256_prefix?: string;
    readonly bytes?: number | null;
    readonly top1: number | null;
    readonly top5: number | null;
    readonly num_params?: number;
    readonly params_m?: number;
    readonly mmacs?: number;
    readonly license?: string;
    /** Keras: the name of a mode. */
    readonly preprocess?: string;
    readonly preprocessing?: {
      readonly resize?: number;
      readonly crop?: number;
      readonly interpolation?: string;
      readonly mean: readonly number[];
      readonly std: readonly number[];
    };
    readonly results_imagenet1k?: readonly {
      readonly img_size: number;
      readonly top1: number;
      readonly top5: number;
    }[];
  }

  const paths = sharedPaths(['notes/pretrained.json']);
  const facts = paths
    ? (JSON.parse(readFileSync(paths[0]!, 'utf8')) as Record<string, Published[]>)
    : null;
  const byReference = new Map<string, Published>();
  for (const list of ['torchvision', 'timm', 'keras', 'cifar_small']) {
    for (const fact of facts?.[list] ?? [])
      byReference.set(fact.hf_hub_id ? `hf:${fact.hf_hub_id}` : fact.url!, fact);
  }

  function preprocessOf({ preprocess, preprocessing }: Published): object | null {
    if (preprocess === 'tf') return { scale: 1 / 127.5, mean: [1, 1, 1] };
    if (!preprocessing) return null;
    const { mean, std, resize, crop, interpolation } = preprocessing;
    const sizes = {
      resize: { shorterSide: resize, filter: interpolation },
      crop: { width: crop, height: crop },
    };
    return { mean, std, ...(resize !== undefined && sizes) };
  }

  /** What is stated is the repository's licence, or that of the weights in lower case. */
  function licenceOf({ license, weights_enum }: Published): object {
    const repository = / ?\(repository/;
    if (weights_enum !== undefined) return { code: 'bsd-3-clause', weights: null };
    if (license === undefined) return { code: null, weights: null };
    const id = license.toLowerCase().split(repository)[0]!;
    return repository.test(license) ? { code: id } : { weights: id };
  }

  /** Millions as printed, to the last digit. */
  function rounded(value: number, printed: number): number {
    return Number((value / 1e6).toFixed(String(printed).split('.')[1]?.length ?? 0));
  }

  const onHub = entries.flatMap(([title, entry]) =>
    entry.origin.kind === 'hub' ? [[title, entry, entry.origin.reference] as const] : [],
  );

  it.skipIf(!facts).each(onHub)('%s are as published', (_, entry, reference) => {
    const fact = byReference.get(reference)!;
    const result = fact.results_imagenet1k?.find(
      ({ img_size }) => img_size === fact.preprocessing?.crop,
    );
    const { top1, top5 = null } = result ?? fact;
    expect([entry.top1, entry.top5]).toEqual([top1, top5]);
    expect(entry.origin).toMatchObject({
      sha256: fact.sha256 ?? fact.sha256_prefix ?? null,
      size: fact.bytes ?? null,
    });
    const preprocess = preprocessOf(fact);
    const steps = Object.entries(entry.preprocess ?? {}).filter(
      ([key]) => preprocess && key in preprocess,
    );
    expect(entry.preprocess && Object.fromEntries(steps)).toEqual(preprocess);
    const { code, weights } = entry.licence;
    expect({
      code: code?.toLowerCase() ?? null,
      weights: weights?.toLowerCase() ?? null,
    }).toMatchObject(licenceOf(fact));
  });

  it.skipIf(!facts).each(onHub)('%s are of a network as large', async (_, entry, reference) => {
    const fact = byReference.get(reference)!;
    const model = await build(entry);
    const { size } = (await modelInfo(entry.model)).input;
    const { parameters, macs } = summary(model, [1, entry.inChannels, size, size]);
    const { num_params, params_m = rounded(parameters, 0.01), mmacs = macs / 1e6 } = fact;
    expect(parameters).toBe(num_params ?? parameters);
    expect(rounded(parameters, params_m)).toBe(params_m);
    expect(Math.abs(macs / 1e6 - mmacs)).toBeLessThan(0.02);
    model.dispose();
  });

  it.skipIf(!facts)("has all of torchvision's classifiers of the zoo's networks", async () => {
    const ours = new Set(await listModels());
    const missing = facts!['torchvision']!.filter(
      (fact) =>
        ours.has(fact.model) &&
        !fact.weights_enum!.endsWith('FEATURES') &&
        !entries.some(([, { origin }]) => origin.kind === 'hub' && origin.reference === fact.url),
    );
    expect(missing).toEqual([]);
  });
});

describe('the catalogue', () => {
  it('names networks of the zoo, and no tag of one twice', async () => {
    const ours = await listModels();
    expect(entries.filter(([, { model }]) => !ours.includes(model))).toEqual([]);
    expect(new Set(entries.map(([title]) => title)).size).toBe(entries.length);
  });

  it('is filtered by network, tag and verification, and stands in modelInfo', async () => {
    const tags = listPretrained({ model: 'resnet50', verified: true }).map(({ tag }) => tag);
    expect(tags).toEqual(['torchvision_v1', 'torchvision_v2']);
    expect((await modelInfo('resnet50')).pretrained).toEqual(listPretrained({ model: 'resnet50' }));
    expect((await modelInfo('lenet1')).pretrained).toEqual([]);
  });

  it('leaves the choice among several to the caller', () => {
    expect(findPretrained('squeezenet1_1').tag).toBe('torchvision_v1');
    expect(() => findPretrained('resnet50')).toThrow(/several.*'torchvision_v1', 'torchvision_v2'/);
    expect(() => findPretrained('resnet18', 'v3')).toThrow(/no weights 'v3'.*'torchvision_v1'/);
    expect(() => findPretrained('lenet1')).toThrow(/no pretrained weights of lenet1/);
  });

  it('asks for agreement where a licence is not stated, or not for commerce', () => {
    const asked = (model: string, tag: string): boolean =>
      needsAcceptance(findPretrained(model, tag));
    expect(asked('resnet18', 'torchvision_v1')).toBe(true);
    expect(asked('resnet18', 'timm_fb_swsl_ig1b_ft_in1k')).toBe(true);
    expect(asked('resnet18', 'timm_a1_in1k')).toBe(false);
    expect(asked('resnet20_cifar', 'akamaster_cifar10')).toBe(false);
  });

  it("reads the names of DenseNet's old files", async () => {
    const entry = findPretrained('densenet121', 'torchvision_v1');
    const model = await build(entry);
    const slots = [...model.stateDict()].map(([name, { shape }]) => [name, shape] as const);
    const old = slots
      .filter(([name]) => !name.endsWith('num_batches_tracked'))
      .map(
        ([name, shape]) =>
          [name.replace(/(denselayer\d+\.(?:norm|conv))([12])/, '$1.$2'), shape] as const,
      );
    expect(old.some(([name]) => name.includes('denselayer1.norm.1.weight'))).toBe(true);
    const { report } = planMapping(old, slots, entry.mapping);
    expect([report.missing, report.unexpected, report.mismatched]).toEqual([[], [], []]);
    model.dispose();
  });
});
