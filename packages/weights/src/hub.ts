// The hub: weight files by URL, from Hugging Face's hub or from a disk, downloaded once, checked, and cached. Runs in Node and in
// browsers; what the files hold is read elsewhere.

import { WeightsError } from './errors.ts';
import { checksumError, expectedHash, integrityOf } from './hub/checksum.ts';
import { download, type Downloaded } from './hub/download.ts';
import { localFile, memoryFile } from './hub/local.ts';
import type { FetchedWeights, FetchOptions, FetchProgress } from './hub/options.ts';
import { isSwitchedOn, variable } from './hub/platform.ts';
import { mirrorUrl, parseReference, type RemoteReference } from './hub/reference.ts';
import { createSha256 } from './hub/sha256.ts';
import {
  openStore,
  type CacheEntry,
  type CachedFile,
  type Cleared,
  type Content,
  type Store,
} from './hub/store.ts';

export type { Integrity } from './hub/checksum.ts';
export type { FetchedWeights, FetchOptions, FetchProgress } from './hub/options.ts';
export type { CachedFile, Cleared } from './hub/store.ts';

const MOST_BYTES = 16 * 2 ** 30;

/** The lock was taken from us: a process that slept for half a minute counts as dead. */
class LockLost extends Error {}

interface Job {
  readonly reference: RemoteReference;
  readonly entry: CacheEntry;
  readonly store: Store;
  readonly options: FetchOptions;
  readonly expected: ReturnType<typeof expectedHash>;
  readonly tell: (loaded: number, total: number | null, phase: FetchProgress['phase']) => void;
}

function result(
  { reference, store }: Job,
  found: Downloaded,
  how: { readonly fromCache: boolean; readonly waited: boolean },
): FetchedWeights {
  const { content, source, sha256, integrity } = found;
  return {
    reference: reference.reference,
    file: reference.file,
    size: content.size,
    ...(content.path !== undefined && { path: content.path }),
    source,
    sha256,
    integrity,
    cached: store.lasting,
    ...how,
    bytes: content.bytes,
    blob: content.blob,
  };
}

async function hashOf(content: Content, job: Job): Promise<string> {
  const hasher = createSha256();
  const reader = (await content.blob()).stream().getReader();
  for (let loaded = 0; ;) {
    job.options.signal?.throwIfAborted();
    const { done, value } = await reader.read();
    if (done) return hasher.digest();
    hasher.update(value);
    loaded += value.length;
    job.tell(loaded, content.size, 'checking');
  }
}

/** The cached file where it is right; else an error that says what is wrong with it, or null where there is none. */
async function lookUp(job: Job): Promise<Downloaded | WeightsError | null> {
  const { entry, expected, options, reference } = job;
  const found = await entry.find();
  if (!found) return null;
  const { content, record } = found;
  if (options.size !== undefined && content.size !== options.size) {
    return new WeightsError(
      'size',
      `${entry.place} has ${content.size} bytes, not the ${options.size} expected`,
    );
  }
  const unchanged = record?.size === content.size && record.modified === content.modified;
  const sha256 = unchanged && !options.verify ? record.sha256 : await hashOf(content, job);
  const known =
    expected ?? (record ? { digits: record.sha256, from: 'record' as const } : undefined);
  const wrong = checksumError(entry.place, sha256, known);
  if (wrong) return wrong;
  const source = record?.source ?? entry.place;
  if (!unchanged || record.sha256 !== sha256) {
    await entry.note({
      reference: reference.reference,
      file: reference.file,
      source,
      sha256,
      size: content.size,
      modified: content.modified,
      downloaded: record?.downloaded ?? new Date(content.modified).toISOString(),
    });
  }
  return { content, source, sha256, integrity: integrityOf(known) };
}

function tokens({ options, reference }: Job): (url: string) => string | undefined {
  const own = options.token?.trim();
  const hub = variable('HF_TOKEN')?.trim();
  for (const token of [own, hub]) {
    if (token && !/^[\x21-\x7e]+$/.test(token)) {
      throw new WeightsError('reference', 'the token has characters that no token has (spaces?)');
    }
  }
  const home = new URL(reference.url).origin;
  return (url) => {
    const { origin } = new URL(url);
    if (own) return origin === home ? own : undefined;
    return origin === reference.endpointOrigin ? hub : undefined;
  };
}

function checkNumbers(options: FetchOptions): void {
  for (const name of ['size', 'maxBytes', 'retries', 'retryDelay', 'stallTimeout'] as const) {
    const value = options[name];
    const least = name === 'stallTimeout' || name === 'maxBytes' ? 1 : 0;
    if (value !== undefined && !(value >= least)) {
      throw new WeightsError(
        'reference',
        `the option ${name} is ${value}; expected ${least} or more`,
      );
    }
  }
}

/** Under the lock: what another has downloaded in the meantime, or a download of our own. */
async function lockAndDownload(job: Job, mirrors: readonly string[]): Promise<FetchedWeights> {
  const { entry, options, reference, expected, tell } = job;
  const { signal } = options;
  const tokenFor = tokens(job);
  const lock = await entry.lock({
    signal,
    onWait: (partialSize) => tell(partialSize, options.size ?? null, 'waiting'),
  });
  const { waited } = lock;
  try {
    if (!options.refresh || waited) {
      const found = await lookUp(job);
      if (found && !(found instanceof WeightsError)) {
        return result(job, found, { fromCache: true, waited });
      }
    }
    const record = await entry.record();
    const found = await download(await entry.openPartial(), {
      reference,
      urls: [reference.url, ...mirrors],
      tokenFor,
      expected,
      recorded: record ? { digits: record.sha256, from: 'record' } : undefined,
      size: options.size,
      maxBytes: options.maxBytes ?? MOST_BYTES,
      retries: options.retries ?? 4,
      retryDelay: options.retryDelay ?? 500,
      stallTimeout: options.stallTimeout ?? 30_000,
      signal,
      onProgress: tell,
      beforeCommit: async () => {
        if (!(await lock.isOurs())) throw new LockLost();
      },
    });
    return result(job, found, { fromCache: false, waited });
  } finally {
    await lock.release();
  }
}

/**
 * A weight file by its reference: a URL, `hf:owner/name[@revision][/file]` (file `model.safetensors`, revision `main` by default),
 * in Node a path or a `file:` URL, in browsers a URL relative to the page; `data:` and `blob:` URLs are read without a cache.
 *
 * Downloads go to a part that survives a crash, are hashed as they come, and get the file's name only when they are whole and
 * right. Throws a WeightsError: `reference`, `network`, `offline`, `checksum`, `size`, `content`, `read`, `write`; or the
 * signal's reason.
 */
export async function fetchWeights(
  reference: string,
  options: FetchOptions = {},
): Promise<FetchedWeights> {
  options.signal?.throwIfAborted();
  checkNumbers(options);
  const parsed = parseReference(reference, options.endpoint);
  if (parsed.kind === 'local') return localFile(parsed.path, reference, options);
  if (parsed.kind === 'memory') return memoryFile(parsed.url, reference, options);

  const expected = expectedHash(parsed.file, options);
  const mirrors = (options.mirrors ?? []).map((mirror) => mirrorUrl(mirror, parsed.file));
  const store = await openStore(options.cache);
  const job: Job = {
    reference: parsed,
    entry: store.entry(parsed),
    store,
    options,
    expected,
    tell: (loaded, total, phase) =>
      options.onProgress?.({ file: parsed.file, loaded, total, phase }),
  };
  const offline =
    options.offline ?? (isSwitchedOn('CONVOKE_OFFLINE') || isSwitchedOn('HF_HUB_OFFLINE'));
  if (!options.refresh || offline) {
    const found = await lookUp(job);
    if (found && !(found instanceof WeightsError)) {
      return result(job, found, { fromCache: true, waited: false });
    }
    if (found && offline) throw found;
  }
  if (offline) {
    throw new WeightsError(
      'offline',
      `${parsed.reference} is not in the cache (looked at ${job.entry.place}), and offline mode is on; fetch it once with a network, put the file there, or switch off the option offline, CONVOKE_OFFLINE and HF_HUB_OFFLINE`,
    );
  }
  for (;;) {
    try {
      return await lockAndDownload(job, mirrors);
    } catch (error) {
      if (!(error instanceof LockLost)) throw error;
    }
  }
}

/** What is in the cache, broken-off downloads included. `cache` as in `FetchOptions`. */
export async function listCache(
  options: { readonly cache?: string | undefined } = {},
): Promise<CachedFile[]> {
  return (await openStore(options.cache)).list();
}

/**
 * Removes the file of a reference, its parts and its recorded hash from the cache, or with no reference those of all. What is
 * being downloaded stays, and is named. Throws a WeightsError: `reference`, `write`.
 */
export async function clearCache(
  reference?: string,
  options: Pick<FetchOptions, 'cache' | 'endpoint'> = {},
): Promise<Cleared> {
  const parsed = reference === undefined ? undefined : parseReference(reference, options.endpoint);
  if (parsed && parsed.kind !== 'remote') return { files: 0, bytes: 0, busy: [] };
  return (await openStore(options.cache)).clear(parsed?.slug);
}
