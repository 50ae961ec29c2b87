// The option that is not the default, against PyTorch: scripts/golden.py made the fixture.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { createMeta, current } from '@convoke/core';
import { beforeAll, expect, it } from 'vitest';

import { fillWithGolden, type GoldenNetwork } from '../../src/golden.ts';
import { createModel } from '../../src/index.ts';
import { logitsOf, relativeError, useBackend } from './lab.ts';

beforeAll(async () => {
  await useBackend('workers');
});

it("gives PyTorch's logits with the stride in the first 1x1 convolution, and others without", async () => {
  const file = new URL('../fixtures/resnet50.1x1.json.gz', import.meta.url);
  const golden = JSON.parse(gunzipSync(readFileSync(file)).toString()) as GoldenNetwork;
  const { input, output } = golden.cases[0]!;
  const bytes = Buffer.from(output.f64_b64, 'base64');
  const expected = Float64Array.from({ length: bytes.length / 8 }, (_, i) =>
    bytes.readDoubleLE(8 * i),
  );
  const errorOf = async (stridedConv: '1x1' | '3x3'): Promise<number> => {
    const model = (await createModel('resnet50', { backend: createMeta(), stridedConv })).eval();
    fillWithGolden(model, golden.gain, current());
    const error = relativeError(await logitsOf(model, input.shape), expected);
    model.dispose();
    return error;
  };
  expect(await errorOf('1x1')).toBeLessThan(1e-5);
  expect(await errorOf('3x3')).toBeGreaterThan(1e-2);
});
