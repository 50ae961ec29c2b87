import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { acquire, isLocked } from '../../src/hub/lock.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-lock-'));
  path = join(folder, '.lock');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const take = (silence?: number) =>
  acquire(path, {
    signal: undefined,
    onWait: async () => undefined,
    ...(silence !== undefined && { silence }),
  });

describe('a lock', () => {
  it('is held by one at a time', async () => {
    let holders = 0;
    let most = 0;
    const use = async (): Promise<void> => {
      const lock = await take();
      most = Math.max(most, ++holders);
      await new Promise((resolve) => setTimeout(resolve, 5));
      holders--;
      await lock.release();
    };
    await Promise.all(Array.from({ length: 6 }, use));
    expect(most).toBe(1);
    expect(await readdir(folder)).toEqual([]);
  });

  it('of a silent holder is taken, which the holder can see', async () => {
    const first = await take();
    expect(await isLocked(path)).toBe(true);
    expect(await first.isOurs()).toBe(true);
    const second = await take(50);
    expect(second).toMatchObject({ waited: true, suspect: first.token });
    expect(await first.isOurs()).toBe(false);
    await first.release();
    expect(await second.isOurs()).toBe(true);
    await second.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('that its holder left empty when it died is taken after the silence', async () => {
    await writeFile(path, '');
    const lock = await take(50);
    expect(await lock.isOurs()).toBe(true);
    await lock.release();
  });

  it('of a dead process of this machine is taken at once, by one of many', async () => {
    const template = await take();
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.once('close', resolve));
    const holder = JSON.parse(await readFile(path, 'utf8')) as object;
    await template.release();
    for (let round = 0; round < 5; round++) {
      await writeFile(path, JSON.stringify({ ...holder, token: 'dead', pid: child.pid }));
      expect(await isLocked(path)).toBe(false);
      let holders = 0;
      const use = async (): Promise<string | null> => {
        const lock = await take();
        expect(++holders).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        holders--;
        await lock.release();
        return lock.suspect;
      };
      expect(await Promise.all([use(), use(), use()])).toEqual([null, null, null]);
    }
  });
});
