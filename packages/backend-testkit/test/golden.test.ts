import { gzipSync } from 'node:zlib';

import type { Backend } from '@convoke/backend-api';
import { js } from '@convoke/backend-js';
import { describe, expect, it } from 'vitest';

import {
  kindName,
  readGoldenFile,
  recognize,
  runGoldenCase,
  type GoldenCase,
  type GoldenTensor,
} from '../src/golden.ts';
import { loadFixtures } from '../src/node.ts';

const fixtures = await loadFixtures();
const backend = await js.create();

/** Optimisers, schedules and gradient clipping are run where they live, with the layers. */
const runHere = fixtures.filter(
  ({ attrs }) => !('optimizer' in attrs || 'schedule' in attrs || attrs['op'] === 'clip_grad_norm'),
);

function bytesOf(content: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(content));
}

function find(start: string): GoldenCase {
  const found = fixtures.find(({ id }) => id.startsWith(start));
  if (!found) throw new Error(`no fixture ${start}`);
  return found;
}

/** The case with the first value of an output moved. */
function moved(goldenCase: GoldenCase, name: string, by: number): GoldenCase {
  const tensor = goldenCase.outputs![name]!;
  const data = tensor.data.map((value, i) => (i === 0 ? (value as number) + by : value));
  return { ...goldenCase, outputs: { ...goldenCase.outputs, [name]: { ...tensor, data } } };
}

describe('the fixtures', () => {
  const kinds = new Map<string, GoldenCase[]>();
  for (const goldenCase of runHere) {
    const kind = kindName(goldenCase);
    kinds.set(kind, [...(kinds.get(kind) ?? []), goldenCase]);
  }

  it.each([...kinds])('agree with the js backend: %s', async (_, cases) => {
    const rows = await Promise.all(cases.map((goldenCase) => runGoldenCase(goldenCase, backend)));
    expect(rows.filter(({ status }) => status !== 'pass')).toEqual([]);
  });

  it('leave the other kinds to whoever else recognises them', async () => {
    const others = fixtures.filter((goldenCase) => !runHere.includes(goldenCase));
    expect(others.filter((goldenCase) => recognize(goldenCase) !== null)).toEqual([]);
    const [first] = others;
    const row = await runGoldenCase(first!, backend, {
      recognizers: [
        () => async () => ({
          tensors: [
            { name: 'w', error: 1, tolerance: 2 },
            { name: 'v', error: 2, tolerance: 1 },
          ],
        }),
      ],
    });
    expect(row).toMatchObject({ id: first!.id, status: 'fail', error: 2, tolerance: 1 });
  });
});

describe('recognition', () => {
  it('agrees with the files that the cases came in, though it sees neither their names nor the ids', () => {
    for (const goldenCase of runHere) {
      const { op } = goldenCase.attrs;
      const expected = typeof op === 'string' ? op : goldenCase.id.split('/')[0]!;
      const kind = kindName({ ...goldenCase, id: 'anything' });
      // Windows of one element fit both kinds of adaptive pooling.
      expect(kind.replace(/ \(.*\)$/, '').split(' and ')).toContain(expected);
    }
  });

  it('is not misled by a wrong value among the outputs', () => {
    for (const start of [
      'softmax/',
      'log_softmax/',
      'adaptive_avg_pool2d/',
      'adaptive_max_pool2d/',
    ]) {
      const goldenCase = find(start);
      expect(kindName(moved(goldenCase, 'y', 0.01))).toBe(kindName(goldenCase));
    }
  });

  it('skips a case of no known kind and tells what it saw', async () => {
    const row = await runGoldenCase({ id: 'a', attrs: { wavelet: 'haar' }, inputs: {} }, backend);
    expect(row).toMatchObject({ id: 'a', status: 'skip', error: null, tolerance: null });
    expect(row.reason).toContain('wavelet');
  });
});

describe('a verdict', () => {
  it.each([
    ['conv2d/0', 'y'],
    ['conv2d/0', 'g_x'],
    ['conv2d/0', 'g_weight'],
    ['conv2d/0', 'g_bias'],
    ['batch_norm/0', 'running_var_after'],
    ['max_pool2d/0', 'indices'],
    ['cross_entropy/6', 'g_x'],
  ])('fails %s for a wrong value in %s and names it', async (id, name) => {
    const by = name === 'indices' ? 1 : 1e-4;
    const row = await runGoldenCase(moved(find(id), name, by), backend);
    expect(row.status).toBe('fail');
    expect(row.reason).toContain(name);
    expect(row.error! / by).toBeCloseTo(1, 1);
  });

  it('fails a wrong value in a later batch of the cumulative average', async () => {
    const goldenCase = find('batch_norm/10');
    const steps = structuredClone(goldenCase['steps']) as Record<string, { data: number[] }>[];
    steps[2]!['running_mean']!.data[1]! += 1e-3;
    const row = await runGoldenCase({ ...goldenCase, steps }, backend);
    expect(row).toMatchObject({ status: 'fail' });
    expect(row.reason).toContain('steps[2].running_mean');
  });

  it('fails where the shape is another, though the values are equal', async () => {
    const goldenCase = find('activations/0');
    const y = { ...goldenCase.outputs!['y']!, shape: [1, 51] };
    const row = await runGoldenCase({ ...goldenCase, outputs: { y } }, backend);
    expect(row).toMatchObject({ status: 'fail' });
    expect(row.reason).toMatch(/y has shape \[51\], expected \[1, ?51\]/);
  });

  it('takes NaN and infinities for equal to themselves only', async () => {
    const x: GoldenTensor = { shape: [3], data: ['nan', 'inf', '-inf'] };
    const relu = (y: GoldenTensor['data']): GoldenCase => ({
      id: 'r',
      attrs: { op: 'relu' },
      inputs: { x },
      outputs: { y: { shape: [3], data: y } },
    });
    expect(await runGoldenCase(relu(['nan', 'inf', 0]), backend)).toMatchObject({ status: 'pass' });
    expect(await runGoldenCase(relu([0, 'inf', 0]), backend)).toMatchObject({ status: 'fail' });
    expect(await runGoldenCase(relu(['nan', 1e30, 0]), backend)).toMatchObject({ status: 'fail' });
    const coarse = { ...backend, capabilities: { ...backend.capabilities, nonFinite: false } };
    const row = await runGoldenCase(relu(['nan', 'inf', 0]), coarse as Backend);
    expect(row.status).toBe('skip');
  });

  it('fails, and does not throw, where the case cannot be computed', async () => {
    const goldenCase = find('conv2d/0');
    const row = await runGoldenCase(
      { ...goldenCase, attrs: { ...goldenCase.attrs, stride: [0, 1] } },
      backend,
    );
    expect(row).toMatchObject({ status: 'fail', error: null });
    expect(row.reason).toMatch(/stride/);
    const damaged = {
      ...goldenCase,
      inputs: { ...goldenCase.inputs, x: { shape: [2, 2], data: [1] } },
    };
    expect((await runGoldenCase(damaged, backend)).reason).toMatch(/'x' has 1 values/);
  });

  it('fails a case that compares nothing', async () => {
    const { inputs, attrs } = find('activations/0');
    const row = await runGoldenCase({ id: 'e', attrs, inputs: inputs! }, backend);
    expect(row).toMatchObject({ status: 'fail' });
  });

  it('grants what the backend and the precision may need', async () => {
    const goldenCase = find('activations/0');
    // Every op of relu is exact, so that the tolerance alone differs.
    const largest = Math.max(
      ...goldenCase.outputs!['y']!.data.map((value) => Math.abs(value as number)),
    );
    const granted = 5 * goldenCase.torch_f32_max_abs_err!;
    const as = (name: string, epsilon: number): Backend =>
      new Proxy(backend, {
        get: (target, key) => {
          if (key === 'name') return name;
          if (key === 'capabilities') return { ...target.capabilities, epsilon };
          const value = Reflect.get(target, key) as unknown;
          return typeof value === 'function' ? (value as () => void).bind(target) : value;
        },
      });
    const tolerance = async (candidate: Backend, precision: 'strict' | 'fast') =>
      (await runGoldenCase(goldenCase, candidate, { precision })).tolerance! - granted;
    expect(await tolerance(backend, 'fast')).toBeCloseTo(1e-6 * largest, 12);
    expect(await tolerance(as('workers', 2 ** -24), 'strict')).toBeCloseTo(1e-6 * largest, 12);
    expect(await tolerance(as('workers', 2 ** -24), 'fast')).toBeCloseTo(1e-5 * largest, 12);
    expect(await tolerance(as('some-gpu', 2 ** -20), 'strict')).toBeCloseTo(5e-5 * largest, 12);
  });
});

describe('a backend', () => {
  it('holds nothing after cases that pass, fail and cannot be computed', async () => {
    const own = await js.create();
    const conv = find('conv2d/0');
    await runGoldenCase(conv, own);
    await runGoldenCase(moved(conv, 'y', 1), own);
    await runGoldenCase({ ...conv, attrs: { ...conv.attrs, groups: 7 } }, own);
    await runGoldenCase(find('batch_norm/10'), own);
    await runGoldenCase(find('misc/8'), own);
    expect(own.memory().handles).toBe(0);
    own.dispose();
  });
});

describe('readGoldenFile', () => {
  const content = { source: 'somewhere', cases: [find('linear/0')] };

  it('reads JSON and gzip alike, whatever the name', async () => {
    const plain = await readGoldenFile('a', bytesOf(content));
    const zipped = await readGoldenFile('b.json', new Uint8Array(gzipSync(bytesOf(content))));
    expect(zipped.cases).toEqual(plain.cases);
    expect(plain.cases).toHaveLength(1);
    expect(plain.skipped).toEqual([]);
  });

  it.each([
    ['truncated gzip', new Uint8Array(gzipSync(bytesOf(content)).subarray(0, 60))],
    [
      'gzip with a flipped bit',
      new Uint8Array(gzipSync(bytesOf(content)).map((b, i) => (i === 40 ? b ^ 8 : b))),
    ],
    ['truncated JSON', bytesOf(content).slice(0, 60)],
    ['an empty file', new Uint8Array(0)],
    ['bytes that are no text', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
  ])('names the file that is damaged: %s', async (_, bytes) => {
    await expect(readGoldenFile('folder/x.json.gz', bytes)).rejects.toMatchObject({
      code: 'data',
      message: expect.stringContaining('folder/x.json.gz'),
    });
  });

  it('gives the inputs of a network and pictures as cases, for runners that know them', async () => {
    const attrs = { arch: 'lenet', gain: 2 };
    const network = { ...attrs, state_dict: [], cases: [{ input: {} }, {}] };
    const train = { losses: [1] };
    const file = bytesOf({ ...network, aux: null, train });
    const { cases, skipped } = await readGoldenFile('f.json', file);
    expect(skipped).toEqual([]);
    expect(cases).toEqual([
      { id: 'lenet/0', attrs, network: { input: {} } },
      { id: 'lenet/1', attrs, network: {} },
      { id: 'lenet/train', attrs, network: train },
    ]);
    const picture = { id: 'resize/0', op: 'resize', attrs: {}, input: { u8_b64: 'AA==' } };
    const pictures = await readGoldenFile('f.json', bytesOf({ cases: [picture] }));
    expect(pictures.cases).toEqual([picture]);
  });

  it('skips what is no golden file or case, each with a reason', async () => {
    const broken = {
      cases: [{ attrs: {} }, 3, { id: 'i', attrs: {}, inputs: { x: [1] } }, { id: 'j' }],
    };
    for (const [file, count] of [
      [broken, 4],
      [[1, 2], 1],
      [{ vectors: [] }, 1],
    ] as const) {
      const { cases, skipped } = await readGoldenFile('f.json', bytesOf(file));
      expect(cases).toEqual([]);
      expect(skipped).toHaveLength(count);
      for (const row of skipped) {
        expect(row).toMatchObject({ status: 'skip', error: null, tolerance: null });
        expect(row.reason).toMatch(/no op case|no golden file/);
      }
    }
  });
});
