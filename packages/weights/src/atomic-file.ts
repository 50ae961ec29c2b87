// Saving so that a file is either the old one or the new one, never a part: whenever the process dies, disk full included.

import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
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

/**
 * Writes `bytes` to a temporary file `.NAME.*.tmp` in the same folder, then puts it in the place of `path`. Throws a
 * WeightsError (`write`) where that fails: the temporary file is removed, and what was at `path` is unchanged.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const unique = `${process.pid}-${randomBytes(4).toString('hex')}`;
  const temporary = join(folder, `.${basename(path)}.${unique}.tmp`);
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
    throw new WeightsError(
      'write',
      `cannot write ${path}: ${(error as Error).message}; what was there before is unchanged`,
      { cause: error },
    );
  }
  await syncFolder(folder);
}
