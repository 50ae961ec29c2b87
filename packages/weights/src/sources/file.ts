// A file on disk, read by ranges.

import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { WeightsError } from '../errors.ts';
import { expectSafePath, type ByteSource } from './source.ts';

/** The most that one system call reads; more than 2 GiB at once is refused. */
const MAX_READ = 1 << 30;

export async function openFile(path: string, name: string = path): Promise<ByteSource> {
  const cannot = (error: unknown): never => {
    throw new WeightsError('read', `cannot read ${name}: ${(error as Error).message}`, {
      cause: error,
    });
  };
  const handle = await open(path, 'r').catch(cannot);
  try {
    const stats = await handle.stat().catch(cannot);
    if (!stats.isFile()) cannot(new Error('it is no file'));
    return {
      name,
      size: stats.size,
      async readInto(target, offset) {
        for (let at = 0; at < target.length;) {
          const length = Math.min(target.length - at, MAX_READ);
          const { bytesRead } = await handle.read(target, at, length, offset + at).catch(cannot);
          if (bytesRead === 0) cannot(new Error('it became shorter while it was being read'));
          at += bytesRead;
        }
      },
      sibling: (beside) =>
        openFile(join(dirname(path), ...expectSafePath(beside, name).split('/'))),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}
