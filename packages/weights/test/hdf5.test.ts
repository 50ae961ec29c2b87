import { describe, expect, it } from 'vitest';

import { openHdf5, openKeras } from '../src/hdf5.ts';
import { readWeights, type StoredTensor } from '../src/index.ts';
import { openFile } from '../src/sources/file.ts';
import { expectClose, fixture, fixturePath, rejection, wave } from './fixtures.ts';

const made = (name: string): Uint8Array => fixture(`made/${name}`);

const small: Record<string, readonly [shape: number[], phase: number]> = {
  'stem/kernel': [[3, 3, 2, 4], 0],
  'stem/bias': [[4], 1],
  'stem_bn/beta': [[4], 2],
  'stem_bn/moving_mean': [[4], 3],
  'stem_bn/moving_variance': [[4], 4],
  'dw/depthwise_kernel': [[3, 3, 4, 2], 5],
  'dw_bn/gamma': [[8], 6],
  'dw_bn/beta': [[8], 7],
  'dw_bn/moving_mean': [[8], 8],
  'dw_bn/moving_variance': [[8], 9],
  'predictions/kernel': [[8, 5], 10],
  'predictions/bias': [[5], 11],
};

describe('a Keras 3 file', () => {
  it.each(['named.weights.h5', 'stored.keras', 'deflated.keras'])(
    '%s gives weights by their layers',
    async (name) => {
      const { tensors, format, layout, skipped } = await readWeights(made(name));
      expect([format, layout]).toEqual(['keras', 'keras']);
      expect([...tensors.keys()].toSorted()).toEqual(Object.keys(small).toSorted());
      for (const [key, [shape, phase]] of Object.entries(small)) {
        expect(tensors.get(key)!.shape).toEqual(shape);
        expectClose(tensors.get(key)!.data, wave(shape, phase));
      }
      expect(skipped.map((item) => item.name)).toEqual(['optimizer']);
    },
  );

  it('without names calls layers by their groups', async () => {
    const { tensors } = await readWeights(made('plain.weights.h5'));
    expect(tensors.size).toBe(12);
    expectClose(tensors.get('dense/kernel')!.data, wave([8, 5], 10));
    expectClose(tensors.get('batch_normalization_1/moving_mean')!.data, wave([8], 8));
    expectClose(tensors.get('depthwise_conv2d/depthwise_kernel')!.data, wave([3, 3, 4, 2], 5));
  });
});

describe('a Keras 2 file', () => {
  it('is read where its list of layers is split, in any real type and order of bytes', async () => {
    const { tensors } = await readWeights(made('split.h5'), { stored: true });
    const described = [...tensors].map(([name, { dtype }]) => `${name} ${dtype}`);
    expect(described).toEqual(['a/kernel float32', 'b/kernel float64', 'c/kernel float16']);
    expectClose(tensors.get('a/kernel')!.data as Float32Array, wave([2, 3], 0));
    expectClose(tensors.get('b/kernel')!.data as Float64Array, wave([2, 3], 1));
  });

  it('is read from disk a part at a time', async () => {
    const file = await openKeras(await openFile(fixturePath('tiny_keras_chunked.h5')));
    const { data, shape } = await file.read('fire_expand3x3/kernel');
    await file.close();
    expect(shape).toEqual([3, 3, 4, 8]);
    const whole = await readWeights(fixture('tiny_keras.h5'));
    expect(data).toEqual(whole.tensors.get('fire_expand3x3/kernel')!.data);
  });
});

describe.each(['old', 'new'])('HDF5 in its %s form', (form) => {
  it.each(['deflate', 'all', 'none'])(
    'gives a data set in chunks that do not divide it, filters: %s',
    async (name) => {
      const { root } = await openHdf5(made(`chunks_${form}.h5`));
      const object = (await root.children()).get(name)!;
      const { shape, data } = await object.read();
      expect(shape).toEqual([7, 10, 3]);
      expectClose(data as Float32Array, wave([7, 10, 3], 0));
    },
  );

  it('gives single chunks, many chunks, booleans, scalars and bytes', async () => {
    const { root } = await openHdf5(made(`chunks_${form}.h5`));
    const children = await root.children();
    const read = async (name: string): Promise<unknown[]> => [
      ...(await children.get(name)!.read()).data,
    ];
    expectClose((await read('single')) as number[], wave([4, 4], 1));
    expectClose((await read('many')) as number[], wave([3000], 2));
    expect(await read('flags')).toEqual([1, 0, 1]);
    expect(await read('scalar')).toEqual([-7n]);
    expect(await read('bytes')).toEqual([0, 1, 2, 3, 4]);
    expect(children.get('flags')!.describe().dtype).toBe('bool');
  });

  it('gives the fill value for what was never written', async () => {
    const { root } = await openHdf5(made(`fill_${form}.h5`));
    const children = await root.children();
    const read = async (name: string): Promise<unknown[]> => [
      ...(await children.get(name)!.read()).data,
    ];
    expect(await read('unwritten')).toEqual([7, 7, 7, 7, 7, 7]);
    const [full, half] = [Array(6).fill(-3), [1, 1, 1, -3, -3, -3]];
    expect(await read('sparse')).toEqual([...full, ...full, ...half, ...half]);
    expect(await read('zeros')).toEqual([0, 0, 0]);
  });

  it('refuses what it does not know, by name', async () => {
    const { root } = await openHdf5(made(`chunks_${form}.h5`));
    const children = await root.children();
    expect((await rejection(children.get('lzf')!.read())).message).toMatch(/'lzf'.*filter 32000/);
    expect((await rejection(children.get('texts')!.read())).message).toMatch(
      /'texts'.*holds texts/,
    );
  });
});

describe('HDF5', () => {
  it('gives members and attributes that are kept in heaps', async () => {
    const { root } = await openHdf5(made('many.h5'));
    const children = await root.children();
    expect(children.size).toBe(41);
    expectClose((await children.get('w37')!.read()).data as Float32Array, wave([2], 37));
    const attributes = await children.get('attributes')!.attributes();
    expect(attributes.size).toBe(20);
    expect([...attributes.get('a13')!]).toEqual([13n]);
  });

  it('refuses a chunk whose checksum is wrong', async () => {
    const bytes = made('checked.h5').slice();
    const read = async (): Promise<StoredTensor> => {
      const { root } = await openHdf5(bytes);
      return (await root.children()).get('w')!.read();
    };
    const data = (await read()).data as Float32Array;
    expectClose(data, wave([5], 0));
    const start = Buffer.from(bytes).indexOf(Buffer.from(data.buffer));
    expect(start).toBeGreaterThan(0);
    bytes[start + 6]! ^= 1;
    expect((await rejection(read())).message).toMatch(/'w'.*checksum of a chunk is wrong/);
  });

  it('says what a file is that Keras did not write', async () => {
    expect((await rejection(openKeras(fixture('tiny.npz')))).message).toContain('but npz');
    expect((await rejection(openHdf5(fixture('tiny.npz')))).message).toContain('no HDF5 file');
  });
});
