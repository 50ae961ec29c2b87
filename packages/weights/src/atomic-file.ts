// Saving so that a file is either the old one or the new one, never a part: whenever the process dies, disk full included.

import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { WeightsError } from './errors.ts';

/** Makes a rename last through a power cut, on file systems that need and allow it. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows cannot open folders; the file itself is safe.
  }
}

function temporaryName(path: string): string {
  const unique = `${process.pid}-${randomBytes(4).toString('hex')}`;
  return join(dirname(path), `.${basename(path)}.${unique}.tmp`);
}

function cannotWrite(path: string, cause: unknown): WeightsError {
  return new WeightsError(
    'write',
    `cannot write ${path}: ${(cause as Error).message}; what was there before is unchanged`,
    { cause },
  );
}

/**
 * To be asked before long work whose result goes to `path`: throws the WeightsError (`write`) with which `writeFileAtomic` would
 * fail, for a folder that is missing or takes no files, or where `path` is a folder itself. Leaves nothing behind.
 */
export async function expectWritable(path: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await open(temporary, 'wx').then((handle) => handle.close());
    await rm(temporary);
    const found = await stat(path).catch(() => null);
    if (found?.isDirectory()) throw new Error('it is a folder');
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/**
 * Writes `bytes` to a temporary file `.NAME.*.tmp` in the same folder, then puts it in the place of `path`. Throws a
 * WeightsError (`write`) where that fails: the temporary file is removed, and what was at `path` is unchanged.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const handle = await open(temporary, 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cannotWrite(path, error);
  }
  await syncFolder(dirname(path));
}
