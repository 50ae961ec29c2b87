import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { parseSafetensors, WeightsError, type StoredTensor } from '../src/index.ts';
import { expectWritable, readSafetensors, saveSafetensors, writeFileAtomic } from '../src/node.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-weights-'));
});

afterEach(async () => {
  await chmod(folder, 0o700);
  await rm(folder, { recursive: true, force: true });
});

const weights = (value: number): Map<string, StoredTensor> =>
  new Map([['fc.weight', { dtype: 'float32', shape: [2], data: Float32Array.of(value, -value) }]]);

describe('saveSafetensors and readSafetensors', () => {
  it('keep tensors and notes', async () => {
    const path = join(folder, 'a.safetensors');
    await saveSafetensors(path, weights(1), { step: '3' });
    const { tensors, metadata } = await readSafetensors(path);
    expect(tensors).toEqual(weights(1));
    expect(metadata).toEqual({ step: '3' });
    expect(await readdir(folder)).toEqual(['a.safetensors']);
  });

  it('convert to the types that Convoke computes with, unless told to keep those stored', async () => {
    const path = join(folder, 'a.safetensors');
    await saveSafetensors(
      path,
      new Map([['t', { dtype: 'int64', shape: [], data: BigInt64Array.of(7n) }]]),
    );
    expect((await readSafetensors(path)).tensors.get('t')).toEqual({
      dtype: 'int32',
      shape: [],
      data: Int32Array.of(7),
    });
    expect((await readSafetensors(path, { stored: true })).tensors.get('t')!.data).toEqual(
      BigInt64Array.of(7n),
    );
  });

  it('name the file where it is missing or damaged', async () => {
    const missing = join(folder, 'missing.safetensors');
    await expect(readSafetensors(missing)).rejects.toMatchObject({
      code: 'read',
      message: expect.stringContaining(missing),
    });
    const damaged = join(folder, 'damaged.safetensors');
    await writeFile(damaged, 'no weights');
    await expect(readSafetensors(damaged)).rejects.toMatchObject({
      code: 'format',
      message: expect.stringContaining(damaged),
    });
  });

  it('touch no file where the tensors cannot be stored', async () => {
    const path = join(folder, 'a.safetensors');
    await saveSafetensors(path, weights(1));
    const wrong = new Map([['w', { dtype: 'int32' as const, shape: [9], data: Int32Array.of(1) }]]);
    await expect(saveSafetensors(path, wrong)).rejects.toThrow(WeightsError);
    expect((await readSafetensors(path)).tensors).toEqual(weights(1));
  });
});

describe('expectWritable', () => {
  it('leaves nothing behind, and what is there as it is', async () => {
    const path = join(folder, 'file');
    await expectWritable(path);
    expect(await readdir(folder)).toEqual([]);
    await writeFileAtomic(path, Uint8Array.of(1));
    await expectWritable(path);
    expect([...(await readFile(path))]).toEqual([1]);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it.each(['no/such/file', '.'])('refuses %s as writing would', async (name) => {
    const path = join(folder, name);
    const refusal = { name: 'WeightsError', code: 'write', message: expect.stringContaining(path) };
    await expect(expectWritable(path)).rejects.toMatchObject(refusal);
    await expect(writeFileAtomic(path, new Uint8Array(1))).rejects.toMatchObject(refusal);
  });
});

describe('writeFileAtomic', () => {
  it('puts the new file in the place of the old one', async () => {
    const path = join(folder, 'file');
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3));
    await writeFileAtomic(path, Uint8Array.of(4));
    expect([...(await readFile(path))]).toEqual([4]);
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('leaves what was there and no rubbish where the file cannot be put in place', async () => {
    const path = join(folder, 'taken');
    await mkdir(join(path, 'inside'), { recursive: true });
    const failed = writeFileAtomic(path, Uint8Array.of(1));
    await expect(failed).rejects.toMatchObject({
      name: 'WeightsError',
      code: 'write',
      message: expect.stringMatching(/taken.*unchanged/),
    });
    expect(await readdir(folder)).toEqual(['taken']);
    expect(await readdir(path)).toEqual(['inside']);
  });

  it('tells where the folder is missing', async () => {
    const path = join(folder, 'no', 'such', 'file');
    await expect(writeFileAtomic(path, new Uint8Array(1))).rejects.toMatchObject({
      code: 'write',
      message: expect.stringContaining(path),
    });
  });

  it('killed at any moment leaves one of the files whole', async () => {
    const path = join(folder, 'weights.safetensors');
    await saveSafetensors(path, weights(0));
    const script = fileURLToPath(new URL('saving-for-ever.ts', import.meta.url));
    const kills = [0, 3, 8, 20];
    for (const delay of kills) {
      const child = spawn(
        process.execPath,
        [
          '--conditions=@convoke/source',
          '--experimental-strip-types',
          '--no-warnings',
          script,
          path,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
      await new Promise((resolve) => setTimeout(resolve, delay));
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await closed;
      const { tensors } = parseSafetensors(await readFile(path));
      const { data } = tensors.get('w')!;
      expect(data).toHaveLength(500_000);
      expect(data.every((value) => value === data[0])).toBe(true);
    }
  });
});
