import { describe, expect, it } from 'vitest';

import {
  formatMapReport,
  mapWeights,
  openWeights,
  planMapping,
  serializeSafetensors,
  type HostTensor,
  type NamedShape,
} from '../src/index.ts';
import { expectClose, fixture, manifest, rejection, wave } from './fixtures.ts';

const tensor = (shape: readonly number[], phase = 0): HostTensor => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(wave(shape, phase)),
});

function named(
  ...entries: readonly (readonly [string, readonly number[]])[]
): Map<string, HostTensor> {
  return new Map(entries.map(([name, shape], i) => [name, tensor(shape, i)]));
}

const linear: readonly NamedShape[] = [
  ['fc.weight', [3, 4]],
  ['fc.bias', [3]],
];

describe('mapWeights', () => {
  it('hands over what fits as it is', async () => {
    const file = named(...linear);
    const { tensors, report } = await mapWeights(file, linear);
    expect(tensors).toEqual(file);
    expect(report).toMatchObject({
      loaded: ['fc.weight', 'fc.bias'],
      missing: [],
      renamed: [],
      transposed: [],
    });
  });

  it.each(['module.', 'model.', '_orig_mod.', 'module._orig_mod.model.'])(
    'takes off the prefix %s',
    async (prefix) => {
      const file = named([`${prefix}fc.weight`, [3, 4]], [`${prefix}fc.bias`, [3]]);
      const { tensors, report } = await mapWeights(file, linear);
      expect(tensors.get('fc.bias')!.data).toEqual(file.get(`${prefix}fc.bias`)!.data);
      expect(report.renamed).toContainEqual({ from: `${prefix}fc.weight`, to: 'fc.weight' });
    },
  );

  it('tries linear and classifier for fc, only where the shape agrees', async () => {
    const file = named(['linear.weight', [3, 4]], ['linear.bias', [3]]);
    expect((await mapWeights(file, linear)).report.loaded).toHaveLength(2);
    const other = named(['linear.weight', [3, 5]], ['linear.bias', [3]]);
    const { report } = await mapWeights(other, linear, { strict: false });
    expect(report).toMatchObject({
      loaded: ['fc.bias'],
      missing: ['fc.weight'],
      unexpected: ['linear.weight'],
    });
  });

  it('guesses nothing where two names would do', async () => {
    const file = named(['linear.weight', [3, 4]], ['classifier.weight', [3, 4]], ['fc.bias', [3]]);
    const { report } = await mapWeights(file, linear, { strict: false });
    expect(report.missing).toEqual(['fc.weight']);
    expect(report.unexpected).toEqual(['linear.weight', 'classifier.weight']);
  });

  it('renames by table, by beginnings and by function', async () => {
    const file = named(['out.w', [3, 4]], ['old.fc.bias', [3]], ['junk', [1]]);
    const table = { 'out.w': 'fc.weight', 'old.': '', junk: null };
    expect((await mapWeights(file, linear, { rename: table })).report.loaded).toHaveLength(2);
    const rename = (name: string): string | null | undefined =>
      name === 'junk' ? null : name === 'out.w' ? 'fc.weight' : name.replace('old.', '');
    expect((await mapWeights(file, linear, { rename })).report.unexpected).toEqual([]);
  });

  it('lists everything that does not fit in one error', async () => {
    const file = named(['fc.weight', [4, 3]], ['extra.weight', [1]]);
    const error = await rejection(mapWeights(file, linear, { file: 'w.pth' }));
    expect(error.code).toBe('names');
    expect(error.message).toMatch(/^w\.pth does not fit the model/);
    expect(error.message).toContain('missing (1): fc.bias');
    expect(error.message).toContain('unexpected (1): extra.weight');
    expect(error.message).toContain("'fc.weight' should be [3, 4], the file has [4, 3]");
  });

  it('lets pass what is allowed, and still reports it', async () => {
    const file = named(['fc.weight', [3, 4]], ['aux.fc.weight', [1]], ['aux.fc.bias', [1]]);
    const { report } = await mapWeights(file, linear, {
      allowMissing: [/bias$/],
      allowUnexpected: ['aux.'],
    });
    expect(report.missing).toEqual(['fc.bias']);
    expect(report.unexpected).toEqual(['aux.fc.weight', 'aux.fc.bias']);
  });

  it('fills in counts of batches, and leaves out those that the model lacks', async () => {
    const model: NamedShape[] = [
      ['bn.running_mean', [2]],
      ['bn.running_var', [2]],
      ['bn.num_batches_tracked', []],
    ];
    const file = named(['bn.running_mean', [2]], ['bn.running_var', [2]]);
    const { tensors, report } = await mapWeights(file, model);
    expect(report.defaulted).toEqual(['bn.num_batches_tracked']);
    expect(tensors.get('bn.num_batches_tracked')).toEqual({
      dtype: 'int32',
      shape: [],
      data: Int32Array.of(0),
    });
    const back = await mapWeights(tensors, model.slice(0, 2));
    expect(back.report.unexpected).toEqual([]);
  });

  it('gives a dense layer to a 1x1 convolution and back', async () => {
    const { tensors, report } = await mapWeights(named(['fc.weight', [3, 4]]), [
      ['fc.weight', [3, 4, 1, 1]],
    ]);
    expect(tensors.get('fc.weight')!.shape).toEqual([3, 4, 1, 1]);
    expect(report.reshaped).toEqual(['fc.weight']);
  });

  it('reads only what it uses of an opened file', async () => {
    const file = await openWeights(
      serializeSafetensors(named(['fc.weight', [3, 4]], ['fc.bias', [3]], ['more', [2]])),
    );
    const read: string[] = [];
    const original = file.read.bind(file);
    file.read = (name) => (read.push(name), original(name));
    await mapWeights(file, linear, { allowUnexpected: ['more'] });
    expect(read).toEqual(['fc.weight', 'fc.bias']);
  });
});

describe('Keras layouts', () => {
  const at = (shape: readonly number[], ...index: number[]): number =>
    index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0);

  it('turn HWIO to OIHW, and [in, out] to [out, in], square or not', async () => {
    const file = named(['conv/kernel', [2, 3, 4, 5]], ['dense/kernel', [3, 3]]);
    const { tensors } = await mapWeights(file, [
      ['conv.weight', [5, 4, 2, 3]],
      ['dense.weight', [3, 3]],
    ]);
    const [from, to] = [file.get('conv/kernel')!, tensors.get('conv.weight')!];
    for (const [h, w, i, o] of [
      [0, 0, 0, 0],
      [1, 2, 3, 4],
      [0, 2, 1, 3],
      [1, 0, 2, 0],
    ] as const) {
      expect(to.data[at(to.shape, o, i, h, w)]).toBe(from.data[at(from.shape, h, w, i, o)]);
    }
    expect(tensors.get('dense.weight')!.data[1]).toBe(file.get('dense/kernel')!.data[3]);
  });

  it('turn depthwise [H, W, C, M] to [C * M, 1, H, W]', async () => {
    const file = named(['dw/depthwise_kernel', [3, 2, 4, 2]]);
    const { tensors } = await mapWeights(file, [['dw.weight', [8, 1, 3, 2]]]);
    const [from, to] = [file.get('dw/depthwise_kernel')!, tensors.get('dw.weight')!];
    for (const [h, w, c, m] of [
      [0, 0, 0, 0],
      [2, 1, 3, 1],
      [1, 0, 2, 1],
    ] as const) {
      expect(to.data[at(to.shape, c * 2 + m, 0, h, w)]).toBe(from.data[at(from.shape, h, w, c, m)]);
    }
  });

  it('give scale 1 and shift 0 where a BatchNorm has none', async () => {
    const file = named(['bn/moving_mean', [2]], ['bn/moving_variance', [2]]);
    const { tensors, report } = await mapWeights(file, [
      ['bn.weight', [2]],
      ['bn.bias', [2]],
      ['bn.running_mean', [2]],
      ['bn.running_var', [2]],
    ]);
    expect([...tensors.get('bn.weight')!.data, ...tensors.get('bn.bias')!.data]).toEqual([
      1, 1, 0, 0,
    ]);
    expect(report.defaulted).toEqual(['bn.weight', 'bn.bias']);
  });

  it('are left alone on request', () => {
    const entries: NamedShape[] = [['a.kernel', [2, 3]]];
    const { report } = planMapping(entries, [['a.kernel', [2, 3]]], { layout: 'pytorch' });
    expect(report).toMatchObject({ loaded: ['a.kernel'], transposed: [] });
  });
});

describe('batch normalisation', () => {
  const normalized: readonly NamedShape[] = [
    ['conv1.weight', [2, 3, 1, 1]],
    ['bn1.weight', [2]],
    ['bn1.bias', [2]],
    ['bn1.running_mean', [2]],
    ['bn1.running_var', [2]],
  ];
  const plain: readonly NamedShape[] = [
    ['conv1.weight', [2, 3, 1, 1]],
    ['conv1.bias', [2]],
  ];
  const file = (): Map<string, HostTensor> => {
    const tensors = named(...normalized);
    tensors.set('bn1.running_var', { dtype: 'float32', shape: [2], data: Float32Array.of(0.5, 4) });
    return tensors;
  };
  /** What the layer makes of x, in float64. */
  function run(
    tensors: ReadonlyMap<string, HostTensor>,
    x: readonly number[],
    epsilon: number,
  ): number[] {
    const get = (name: string, c: number, absent: number): number =>
      tensors.get(name)?.data[c] ?? absent;
    return [0, 1].map((c) => {
      const sum = x.reduce(
        (total, value, i) => total + value * tensors.get('conv1.weight')!.data[c * 3 + i]!,
        0,
      );
      const y = sum + get('conv1.bias', c, 0);
      if (!tensors.has('bn1.running_var')) return y;
      const scale = get('bn1.weight', c, 1) / Math.sqrt(get('bn1.running_var', c, 1) + epsilon);
      return (y - get('bn1.running_mean', c, 0)) * scale + get('bn1.bias', c, 0);
    });
  }
  const x = [0.3, -1.2, 2];

  it.each([1e-5, 1e-3])(
    'of the file is folded into a convolution with bias, epsilon %f',
    async (epsilon) => {
      const { tensors, report } = await mapWeights(file(), plain, { batchNormEpsilon: epsilon });
      expect([...tensors.keys()]).toEqual(['conv1.weight', 'conv1.bias']);
      expect(report).toMatchObject({ folded: ['conv1'], unexpected: [], missing: [] });
      expectClose(run(tensors, x, epsilon), run(file(), x, epsilon), 1e-6);
    },
  );

  it('is folded together with a bias of the convolution', async () => {
    const withBias = new Map([...file(), ['conv1.bias', tensor([2], 9)]] as const);
    const { tensors, report } = await mapWeights(withBias, plain);
    expect(report.unexpected).toEqual([]);
    expectClose(run(tensors, x, 1e-5), run(withBias, x, 1e-5), 1e-6);
  });

  it('of the model becomes the bias of a folded file, without a trace of epsilon', async () => {
    const folded = named(...plain);
    const { tensors, report } = await mapWeights(folded, normalized, {
      batchNormEpsilon: () => 1e-3,
    });
    expect(report).toMatchObject({ unfolded: ['bn1'], unexpected: [], missing: [] });
    expectClose(run(tensors, x, 1e-3), run(folded, x, 1e-3), 1e-6);
  });

  it('is not folded into a convolution that it does not follow', async () => {
    const tensors = named(
      ['stem.weight', [2, 3, 1, 1]],
      ['conv7.weight', [2, 3, 1, 1]],
      ...normalized.slice(1),
    );
    const { report } = await mapWeights(
      tensors,
      [
        ['stem.weight', [2, 3, 1, 1]],
        ['stem.bias', [2]],
        ['conv7.weight', [2, 3, 1, 1]],
      ],
      {
        strict: false,
      },
    );
    expect(report.folded).toEqual([]);
    expect(report.missing).toEqual(['stem.bias']);
  });

  it('is unfolded in the golden network: its convolution with bias fits', async () => {
    const { state_dict: model } = manifest.tiny;
    const { tensors } = await mapWeights(await openWeights(fixture('tiny.pth')), model);
    const bare = new Map([...tensors].filter(([name]) => !name.startsWith('bn1')));
    bare.set('conv1.bias', tensor([8], 5));
    const { report } = await mapWeights(bare, model);
    expect(report.unfolded).toEqual(['bn1']);
  });
});

describe('formatMapReport', () => {
  it('says what happened in a few lines', () => {
    const { report } = planMapping([['dense/kernel', [4, 3]]], linear);
    expect(formatMapReport(report).split('\n')).toEqual([
      '1 loaded',
      "1 missing: 'fc.bias'",
      "1 transposed: 'fc.weight'",
      "1 renamed: 'dense/kernel -> fc.weight'",
    ]);
  });
});
