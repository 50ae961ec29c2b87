// The cache on a disk. Each reference has a folder `hub/NAME-HASH` with the file, the note `.record.json`, and while it is
// downloaded `.lock` and `.part-TOKEN/`. Every holder of the lock writes to a part of its own (it takes an earlier one by renaming
// its folder), so even where two should hold the lock, none spoils the other's bytes or puts them under the file's name.

import { WeightsError } from '../errors.ts';
import { acquire, isLocked, type DiskLock } from './lock.ts';
import { cacheFolder, nodeModule } from './platform.ts';
import { isSlug, type RemoteReference } from './reference.ts';
import {
  ABOUT_KEYS,
  parseNote,
  RECORD_KEYS,
  type CacheEntry,
  type CachedFile,
  type Cleared,
  type Content,
  type FileRecord,
  type LockOptions,
  type Partial,
  type PartialAbout,
  type Store,
} from './store.ts';

const RECORD = '.record.json';
const LOCK = '.lock';
const PART = '.part-';
const READ_SIZE = 1 << 20;

const join = (...parts: string[]): string => nodeModule('node:path').join(...parts);

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

function cannotWrite(place: string, cause: unknown): WeightsError {
  const next =
    codeOf(cause) === 'ENOSPC'
      ? 'make room (clearCache() empties the cache), or set CONVOKE_CACHE to a folder on another disk'
      : 'set CONVOKE_CACHE, or the option cache, to a folder that can be written';
  return new WeightsError('write', `cannot write ${place}: ${(cause as Error).message}; ${next}`, {
    cause,
  });
}

async function writing<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isSystems = !(error instanceof WeightsError) && typeof codeOf(error) === 'string';
    throw isSystems ? cannotWrite(place, error) : error;
  }
}

/** A file on the disk as content. Throws what the file system throws. */
export async function contentOf(path: string): Promise<Content> {
  const stats = await nodeModule('node:fs/promises').stat(path);
  if (!stats.isFile()) throw new Error('it is no file');
  return {
    path,
    size: stats.size,
    modified: stats.mtimeMs,
    bytes: async () => {
      const bytes = new Uint8Array(stats.size);
      let at = 0;
      for await (const chunk of readChunks(path)) {
        bytes.set(chunk.subarray(0, stats.size - at), at);
        at += chunk.length;
      }
      if (at !== stats.size) {
        throw new WeightsError('read', `${path} changed from ${stats.size} to ${at} bytes`);
      }
      return bytes;
    },
    blob: () => nodeModule('node:fs').openAsBlob(path),
  };
}

/** A file's bytes; the buffer is used again for the next chunk. */
export async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  const handle = await nodeModule('node:fs/promises').open(path, 'r');
  try {
    const buffer = new Uint8Array(READ_SIZE);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

async function readNote<T>(path: string, keys: readonly (keyof T & string)[]): Promise<T | null> {
  try {
    return parseNote<T>(await nodeModule('node:fs/promises').readFile(path, 'utf8'), keys);
  } catch {
    return null;
  }
}

async function writeNote(path: string, note: object, unique: string): Promise<void> {
  const fs = nodeModule('node:fs/promises');
  const temporary = `${path}.${unique}`;
  try {
    await fs.writeFile(temporary, `${JSON.stringify(note, null, 2)}\n`);
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The parts in an entry's folder, the longest first. */
async function partsIn(folder: string): Promise<{ path: string; size: number }[]> {
  const fs = nodeModule('node:fs/promises');
  const names = await fs.readdir(folder).catch(() => []);
  const parts = names
    .filter((name) => name.startsWith(PART))
    .map(async (name) => {
      const path = join(folder, name);
      const stats = await fs.stat(join(path, 'data')).catch(() => null);
      return { path, size: stats?.size ?? 0 };
    });
  return (await Promise.all(parts)).toSorted((a, b) => b.size - a.size);
}

/** A part that this process writes. */
async function openPart(folder: string, file: string, lock: DiskLock): Promise<Partial> {
  const fs = nodeModule('node:fs/promises');
  const own = join(folder, `${PART}${lock.token}`);
  const aboutPath = join(own, 'about.json');
  const dataPath = join(own, 'data');
  let size = 0;
  let about: PartialAbout | null = null;

  for (const part of await partsIn(folder)) {
    const isFree = part.path !== `${join(folder, PART)}${lock.suspect}`;
    if (isFree && about === null && part.size > 0) {
      const moved = await fs.rename(part.path, own).then(
        () => true,
        () => false,
      );
      if (moved) {
        about = await readNote<PartialAbout>(aboutPath, ABOUT_KEYS);
        if (about) {
          size = part.size;
          continue;
        }
        await fs.rm(own, { recursive: true, force: true });
      }
    }
    await fs.rm(part.path, { recursive: true, force: true }).catch(() => undefined);
  }
  await fs.mkdir(own, { recursive: true });
  const handle = await fs.open(dataPath, about ? 'r+' : 'w');
  let open = true;
  const close = async (): Promise<void> => {
    if (open) await handle.close();
    open = false;
  };
  const discard = async (): Promise<void> => {
    await close();
    await fs.rm(own, { recursive: true, force: true });
  };

  return {
    get about() {
      return about;
    },
    get size() {
      return size;
    },
    chunks: () => readChunks(dataPath),
    restart: (next) =>
      writing(own, async () => {
        // The note first goes away: bytes of one file are never beside the note of another.
        await fs.rm(aboutPath, { force: true });
        await handle.truncate(0);
        await writeNote(aboutPath, next, 'tmp');
        about = next;
        size = 0;
      }),
    append: (chunk) =>
      writing(own, async () => {
        for (let at = 0; at < chunk.length;) {
          const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, size);
          at += bytesWritten;
          size += bytesWritten;
        }
      }),
    commit: (record) => {
      const path = join(folder, file);
      return writing(path, async () => {
        await handle.sync();
        await close();
        await fs.rename(dataPath, path);
        const content = await contentOf(path);
        const note: FileRecord = { ...record, modified: content.modified };
        await writeNote(join(folder, RECORD), note, lock.token);
        await fs.rm(own, { recursive: true, force: true });
        return content;
      });
    },
    close: async () => {
      await close();
      // Nothing to go on with.
      if (size === 0) await fs.rm(own, { recursive: true, force: true });
    },
    discard,
  };
}

function entryIn(folder: string, { file }: RemoteReference): CacheEntry {
  const fs = nodeModule('node:fs/promises');
  const path = join(folder, file);
  const record = (): Promise<FileRecord | null> => readNote(join(folder, RECORD), RECORD_KEYS);
  let held: DiskLock | undefined;
  return {
    place: path,
    record,
    find: async () => {
      try {
        const content = await contentOf(path);
        return { content, record: await record() };
      } catch (cause) {
        if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return null;
        throw new WeightsError('read', `cannot read ${path}: ${(cause as Error).message}`, {
          cause,
        });
      }
    },
    note: async (next) => {
      // A cache that others share may be for reading only; then it goes without.
      await writeNote(join(folder, RECORD), next, `${process.pid}`).catch(() => undefined);
    },
    lock: async ({ signal, onWait }: LockOptions) => {
      await writing(folder, () => fs.mkdir(folder, { recursive: true }));
      const told = async (): Promise<void> => onWait((await partsIn(folder))[0]?.size ?? 0);
      try {
        held = await acquire(join(folder, LOCK), { signal, onWait: told });
      } catch (error) {
        throw signal?.aborted ? error : cannotWrite(folder, error);
      }
      return held;
    },
    openPartial: () => writing(folder, () => openPart(folder, file, held!)),
  };
}

async function describe(folder: string): Promise<CachedFile | null> {
  const fs = nodeModule('node:fs/promises');
  const names = await fs.readdir(folder).catch(() => []);
  const record = await readNote<FileRecord>(join(folder, RECORD), RECORD_KEYS);
  const parts = await partsIn(folder);
  const about =
    record ??
    (parts[0] && (await readNote<PartialAbout>(join(parts[0].path, 'about.json'), ABOUT_KEYS)));
  const name = names.find((candidate) => !candidate.startsWith('.')) ?? about?.file;
  if (name === undefined) return null;
  const content = await contentOf(join(folder, name)).catch(() => null);
  return {
    reference: about?.reference ?? null,
    file: name,
    place: join(folder, name),
    size: content?.size ?? 0,
    partialSize: parts.reduce((sum, { size }) => sum + size, 0),
    sha256: content ? (record?.sha256 ?? null) : null,
    downloaded: content ? (record?.downloaded ?? null) : null,
  };
}

/** The cache in `cache`, or in the folder that the environment and the platform name. */
export function openDisk(cache: string | undefined): Store {
  const path = nodeModule('node:path');
  const os = nodeModule('node:os');
  const fs = nodeModule('node:fs/promises');
  const root = cache
    ? path.resolve(cache)
    : cacheFolder(process.env, process.platform, os.homedir(), path);
  const hub = join(root, 'hub');
  const slugs = async (): Promise<string[]> =>
    (await fs.readdir(hub).catch(() => [])).filter(isSlug).toSorted();
  return {
    lasting: true,
    entry: (reference) => entryIn(join(hub, reference.slug), reference),
    list: async () => {
      const found = (await slugs()).map((slug) => describe(join(hub, slug)));
      return (await Promise.all(found)).filter((file) => file !== null);
    },
    clear: async (slug) => {
      const cleared = { files: 0, bytes: 0, busy: [] as string[] } satisfies Cleared;
      for (const name of await slugs()) {
        if (slug !== undefined && name !== slug) continue;
        const folder = join(hub, name);
        const file = await describe(folder);
        if (await isLocked(join(folder, LOCK))) {
          cleared.busy.push(file?.place ?? folder);
          continue;
        }
        await writing(folder, () => fs.rm(folder, { recursive: true, force: true }));
        if (file && file.size > 0) cleared.files++;
        cleared.bytes += file ? file.size + file.partialSize : 0;
      }
      return cleared;
    },
  };
}
