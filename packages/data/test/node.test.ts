import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { DataError } from '@convoke/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadIdxDataset, readIdx } from '../src/node.ts';
import { idxBytes, inputOf } from './samples.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-data-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const images = idxBytes([2, 1, 2], [0, 255, 51, 102]);
const labels = idxBytes([2], [3, 9]);

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

describe('readIdx', () => {
  it('reads plain and gzipped files alike, whatever their names', async () => {
    const plain = await readIdx(await put('plain', images));
    expect(plain).toEqual({ shape: [2, 1, 2], data: Uint8Array.of(0, 255, 51, 102) });
    expect(await readIdx(await put('packed', gzipSync(images)))).toEqual(plain);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['a gzipped file that is cut off', gzipSync(images).subarray(0, -12), /cut off or damaged/],
    ['a damaged gzipped file', gzipSync(images).fill(0xaa, 12, 16), /cut off or damaged/],
    ['a plain file that is cut off', images.subarray(0, -1), /cut off/],
    ['what was cut off before it was packed', gzipSync(images.subarray(0, -1)), /cut off/],
    [
      'a packed file that holds more than it says',
      gzipSync(new Uint8Array([...images, ...new Uint8Array(1e6)])),
      /bytes left over/,
    ],
    [
      'a packed header that promises more than can be packed',
      gzipSync(idxBytes([60_000, 4000, 4000], [1])),
      /compressed bytes cannot hold/,
    ],
    ['what is no IDX file', gzipSync(Uint8Array.of(1, 2, 3, 4)), /no IDX file/],
  ])('refuses %s by name', async (_, bytes, message) => {
    const path = await put('file', bytes);
    const error = await readIdx(path).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toContain(path);
    expect((error as Error).message).toMatch(message);
  });

  it('names a file that is missing', async () => {
    await expect(readIdx(join(folder, 'missing'))).rejects.toThrow(/cannot read .*missing/);
  });
});

describe('loadIdxDataset', () => {
  it('finds the files by their standard names, gzipped or not', async () => {
    await put('train-images-idx3-ubyte', images);
    await put('train-labels-idx1-ubyte.gz', gzipSync(labels));
    const dataset = await loadIdxDataset(folder, 'train', { classNames: [...'0123456789'] });
    expect([dataset.size, dataset.sampleShape]).toEqual([2, [1, 1, 2]]);
    expect(inputOf(dataset, 0)).toEqual(Float32Array.of(0, 1));
    expect(dataset.classNames?.[dataset.labels[1]!]).toBe('9');
  });

  it('lists what it looked for and where', async () => {
    await put('t10k-images-idx3-ubyte', images);
    const error = await loadIdxDataset(folder, 't10k').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as Error).message).toContain(`no t10k-labels-idx1-ubyte[.gz] in ${folder}`);
    await expect(loadIdxDataset(folder, 'train')).rejects.toThrow(
      /no train-images-idx3-ubyte\[\.gz\] and no train-labels-idx1-ubyte\[\.gz\]/,
    );
  });

  it('tells when the two files are swapped', async () => {
    await put('train-images-idx3-ubyte', labels);
    await put('train-labels-idx1-ubyte', images);
    await expect(loadIdxDataset(folder, 'train')).rejects.toThrow(/swapped/);
  });

  it('tells when the files are of different sets', async () => {
    await put('train-images-idx3-ubyte', images);
    await put('train-labels-idx1-ubyte', idxBytes([3], [1, 2, 3]));
    await expect(loadIdxDataset(folder, 'train')).rejects.toThrow(/2 images, .* 3 labels/);
  });
});
