// The shortcuts that are not the default, against PyTorch: scripts/golden.py made the fixtures.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { createMeta, current } from '@convoke/core';
import { beforeAll, expect, it } from 'vitest';

import { fillWithGolden, runGoldenCase, type GoldenNetwork } from '../../src/golden.ts';
import { createModel } from '../../src/index.ts';
import { useBackend } from './lab.ts';

beforeAll(async () => {
  await useBackend('workers');
});

it.each(['A-centred', 'B'] as const)(
  "gives PyTorch's logits with shortcut %s",
  async (shortcut) => {
    const file = new URL(`../fixtures/resnet20_cifar.${shortcut}.json.gz`, import.meta.url);
    const golden = JSON.parse(gunzipSync(readFileSync(file)).toString()) as GoldenNetwork;
    const model = (await createModel('resnet20_cifar', { backend: createMeta(), shortcut })).eval();
    const own = [...model.stateDict()].map(([key, { shape }]) => [key, shape]);
    expect(own).toEqual(golden.state_dict);
    fillWithGolden(model, golden.gain, current());
    const deviations = await runGoldenCase(model, golden.cases[0]!, 'fast');
    expect(deviations.filter(({ error, tolerance }) => !(error <= tolerance))).toEqual([]);
    model.dispose();
  },
);
