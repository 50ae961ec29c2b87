// The cache in a browser: the origin private file system (OPFS). Unlike Cache Storage it lets a download go on where it broke off,
// and gives files that are read by ranges without being loaded. A file is kept as segments of 16 MiB, since what a page that dies
// was writing is lost; the note `record.json`, written last and at once, makes them a file. Web Locks end with their page.

import { WeightsError } from '../errors.ts';
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
  type Lock,
  type LockOptions,
  type Partial,
  type PartialAbout,
  type Store,
} from './store.ts';

type Folder = FileSystemDirectoryHandle;

const RECORD = 'record.json';
const ABOUT = 'about.json';
const SEGMENT = 16 << 20;
const WAITING = 200;

/** A record that says which folder has the segments. */
interface SegmentsRecord extends FileRecord {
  readonly segments: string;
}

const isMissing = (error: unknown): boolean => (error as Error).name === 'NotFoundError';

function cannotWrite(place: string, cause: unknown): WeightsError {
  const full = (cause as Error).name === 'QuotaExceededError';
  return new WeightsError(
    'write',
    `cannot write ${place}: ${full ? 'the browser gives this site no more room; clearCache() frees what other files take' : (cause as Error).message}`,
    { cause },
  );
}

async function writing<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof DOMException && error.name !== 'AbortError'
      ? cannotWrite(place, error)
      : error;
  }
}

async function folderIn(parent: Folder, name: string, create = false): Promise<Folder | null> {
  try {
    return await parent.getDirectoryHandle(name, { create });
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function names(folder: Folder): Promise<string[]> {
  const found: string[] = [];
  for await (const name of folder.keys()) found.push(name);
  return found.toSorted();
}

async function readNote<T>(
  folder: Folder | null,
  name: string,
  keys: readonly (keyof T & string)[],
): Promise<T | null> {
  try {
    const handle = await folder?.getFileHandle(name);
    return handle ? parseNote<T>(await (await handle.getFile()).text(), keys) : null;
  } catch {
    return null;
  }
}

/** At once: what is written to a stream of OPFS takes the file's place when the stream is closed. */
async function writeNote(folder: Folder, name: string, note: object): Promise<void> {
  const handle = await folder.getFileHandle(name, { create: true });
  const stream = await handle.createWritable();
  await stream.write(JSON.stringify(note));
  await stream.close();
}

const readRecord = (folder: Folder | null): Promise<SegmentsRecord | null> =>
  readNote<SegmentsRecord>(folder, RECORD, [...RECORD_KEYS, 'segments']);

async function segmentFiles(folder: Folder): Promise<File[]> {
  const files: File[] = [];
  for (const name of await names(folder)) {
    if (/^\d{6}$/.test(name)) files.push(await (await folder.getFileHandle(name)).getFile());
  }
  return files;
}

const sizeOf = (files: readonly File[]): number => files.reduce((sum, { size }) => sum + size, 0);

function contentOf(files: readonly File[]): Content {
  // A blob of files is read from the files.
  const blob = files.length === 1 ? files[0]! : new Blob([...files]);
  return {
    size: blob.size,
    modified: files.reduce((latest, { lastModified }) => Math.max(latest, lastModified), 0),
    bytes: async () => new Uint8Array(await blob.arrayBuffer()),
    blob: async () => blob,
  };
}

/** The folders of segments that no record names. */
async function loose(folder: Folder, record: SegmentsRecord | null): Promise<string[]> {
  const all = await names(folder);
  return all.filter((name) => name.startsWith('part-') && name !== record?.segments);
}

async function openPart(folder: Folder, place: string): Promise<Partial> {
  const old = await readRecord(folder);
  const [found, ...rest] = await loose(folder, old);
  for (const name of rest) await folder.removeEntry(name, { recursive: true });
  const name = found ?? `part-${crypto.randomUUID?.() ?? String(Date.now())}`;
  const part = (await folderIn(folder, name, true))!;
  let about = await readNote<PartialAbout>(part, ABOUT, ABOUT_KEYS);
  let files = about ? await segmentFiles(part) : [];
  let size = sizeOf(files);
  let next = files.length;
  let stream: FileSystemWritableFileStream | undefined;
  let room = 0;

  const closeStream = async (): Promise<void> => {
    const open = stream;
    stream = undefined;
    await open?.close();
  };
  const empty = async (): Promise<void> => {
    await stream?.abort();
    stream = undefined;
    for (const entry of await names(part)) await part.removeEntry(entry);
    files = [];
    size = 0;
    next = 0;
    about = null;
  };
  if (!about) await empty();

  return {
    get about() {
      return about;
    },
    get size() {
      return size;
    },
    chunks: async function* () {
      for (const file of files) {
        for (let at = 0; at < file.size; at += 1 << 20) {
          yield new Uint8Array(await file.slice(at, at + (1 << 20)).arrayBuffer());
        }
      }
    },
    restart: (version) =>
      writing(place, async () => {
        await empty();
        await writeNote(part, ABOUT, version);
        about = version;
      }),
    append: (chunk) =>
      writing(place, async () => {
        for (let at = 0; at < chunk.length;) {
          if (!stream) {
            const segment = String(next++).padStart(6, '0');
            const handle = await part.getFileHandle(segment, { create: true });
            stream = await handle.createWritable();
            room = SEGMENT;
          }
          const piece = chunk.subarray(at, at + room) as Uint8Array<ArrayBuffer>;
          await stream.write(piece);
          at += piece.length;
          size += piece.length;
          room -= piece.length;
          if (room === 0) await closeStream();
        }
      }),
    commit: (record) =>
      writing(place, async () => {
        await closeStream();
        await part.removeEntry(ABOUT);
        const content = contentOf(await segmentFiles(part));
        const note = { ...record, modified: content.modified, segments: name };
        await writeNote(folder, RECORD, note satisfies SegmentsRecord);
        for (const other of await loose(folder, note)) {
          await folder.removeEntry(other, { recursive: true });
        }
        return content;
      }),
    close: async () => {
      await closeStream();
      if (size === 0) await folder.removeEntry(name, { recursive: true });
    },
    discard: async () => {
      await empty();
      await folder.removeEntry(name, { recursive: true });
    },
  };
}

async function partialSize(folder: Folder | null): Promise<number> {
  if (!folder) return 0;
  let size = 0;
  for (const name of await loose(folder, await readRecord(folder))) {
    const part = await folderIn(folder, name);
    if (part) size += sizeOf(await segmentFiles(part));
  }
  return size;
}

type LockRequest = Parameters<LockManager['request']>[1] & object;

/** Web Locks are taken from nobody. */
const isOurs = async (): Promise<boolean> => true;

/** Holds a Web Lock until released. */
async function holdLock(
  name: string,
  { signal, onWait }: LockOptions,
  size: () => Promise<number>,
): Promise<Lock> {
  let release!: () => void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const ask = (options: LockRequest): Promise<boolean> =>
    new Promise((resolve, reject) => {
      navigator.locks
        .request(name, options, (lock) => {
          resolve(lock !== null);
          return lock ? held : undefined;
        })
        .catch(reject);
    });
  if (await ask({ ifAvailable: true })) {
    return { waited: false, isOurs, release: async () => release() };
  }
  const tell = (): void => void size().then(onWait, () => onWait(0));
  tell();
  const timer = setInterval(tell, WAITING);
  try {
    await ask(signal ? { signal } : {});
  } finally {
    clearInterval(timer);
  }
  return { waited: true, isOurs, release: async () => release() };
}

/** The cache in the folder `cache` (default `convoke`) of OPFS; null where the browser gives none. */
export async function openPrivateFiles(cache = 'convoke'): Promise<Store | null> {
  if (!/^[^/\\.][^/\\]*$/.test(cache)) {
    throw new WeightsError(
      'reference',
      `the option cache is '${cache}'; in browsers it is the name of one folder, without separators`,
    );
  }
  const lasts =
    typeof FileSystemFileHandle !== 'undefined' &&
    'createWritable' in FileSystemFileHandle.prototype;
  if (!lasts || !navigator.storage?.getDirectory || !navigator.locks) return null;
  let hub: Folder;
  try {
    const root = await navigator.storage.getDirectory();
    hub = (await folderIn((await folderIn(root, cache, true))!, 'hub', true))!;
  } catch {
    // Private windows of some browsers.
    return null;
  }
  const placeOf = (slug: string, file: string): string =>
    `private files: ${cache}/hub/${slug}/${file}`;
  const lockName = (slug: string): string => `convoke-hub ${cache} ${slug}`;

  const find: (slug: string) => ReturnType<CacheEntry['find']> = async (slug) => {
    const folder = await folderIn(hub, slug);
    const record = await readRecord(folder);
    const part = folder && record && (await folderIn(folder, record.segments));
    if (!part) return null;
    return { content: contentOf(await segmentFiles(part)), record };
  };
  const entry = ({ slug, file }: RemoteReference): CacheEntry => ({
    place: placeOf(slug, file),
    find: () => find(slug),
    record: async () => readRecord(await folderIn(hub, slug)),
    note: async (next) => {
      const folder = await folderIn(hub, slug);
      const old = await readRecord(folder);
      if (folder && old) await writeNote(folder, RECORD, { ...next, segments: old.segments });
    },
    lock: (options) =>
      holdLock(lockName(slug), options, async () => partialSize(await folderIn(hub, slug))),
    openPartial: () =>
      writing(placeOf(slug, file), async () =>
        openPart((await folderIn(hub, slug, true))!, placeOf(slug, file)),
      ),
  });
  const describe = async (slug: string): Promise<CachedFile | null> => {
    const folder = (await folderIn(hub, slug))!;
    const record = await readRecord(folder);
    const [first] = await loose(folder, record);
    const part = first === undefined ? null : await folderIn(folder, first);
    const about = record ?? (await readNote<PartialAbout>(part, ABOUT, ABOUT_KEYS));
    if (!about) return null;
    const found = await find(slug);
    return {
      reference: about.reference,
      file: about.file,
      place: placeOf(slug, about.file),
      size: found?.content.size ?? 0,
      partialSize: await partialSize(folder),
      sha256: found ? (record?.sha256 ?? null) : null,
      downloaded: found ? (record?.downloaded ?? null) : null,
    };
  };
  return {
    lasting: true,
    entry,
    list: async () => {
      const files: CachedFile[] = [];
      for (const slug of (await names(hub)).filter(isSlug)) {
        const file = await describe(slug);
        if (file) files.push(file);
      }
      return files;
    },
    clear: async (only) => {
      const cleared = { files: 0, bytes: 0, busy: [] as string[] } satisfies Cleared;
      for (const slug of (await names(hub)).filter(isSlug)) {
        if (only !== undefined && slug !== only) continue;
        const file = await describe(slug);
        await navigator.locks.request(lockName(slug), { ifAvailable: true }, async (lock) => {
          if (!lock) {
            cleared.busy.push(file?.place ?? slug);
            return;
          }
          await hub.removeEntry(slug, { recursive: true });
          if (file && file.size > 0) cleared.files++;
          cleared.bytes += file ? file.size + file.partialSize : 0;
        });
      }
      return cleared;
    },
  };
}
