// What a cache has to do for the hub, on a disk, in a browser's private file system, or in memory; and which one serves here.

import { inNode } from './platform.ts';
import type { RemoteReference } from './reference.ts';
import type { Version } from './transfer.ts';

/** The bytes of a whole file. */
export interface Content {
  readonly size: number;
  /** When it was last written, in milliseconds; changes when someone else writes it. */
  readonly modified: number;
  readonly path?: string;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  blob(): Promise<Blob>;
}

/** What is noted beside a file. */
export interface FileRecord {
  readonly reference: string;
  readonly file: string;
  readonly source: string;
  readonly sha256: string;
  readonly size: number;
  readonly modified: number;
  /** An ISO date. */
  readonly downloaded: string;
}

/** What is noted beside a part of a file. */
export interface PartialAbout extends Version {
  readonly reference: string;
  readonly file: string;
  /** The hash of the URL it came from. */
  readonly from: string;
}

/** A download that is not whole yet. One holder at a time. */
export interface Partial {
  readonly about: PartialAbout | null;
  readonly size: number;
  /** The bytes that are there, for the hash. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Forgets the bytes; those of another file follow. */
  restart(about: PartialAbout): Promise<void>;
  append(chunk: Uint8Array): Promise<void>;
  /** Puts the bytes under the file's name, whole or not at all. */
  commit(record: Omit<FileRecord, 'modified'>): Promise<Content>;
  /** Keeps the bytes for a later download. */
  close(): Promise<void>;
  discard(): Promise<void>;
}

export interface Lock {
  /** Whether another had it. */
  readonly waited: boolean;
  /** Whether it is still ours: on a disk, another takes it from a process that seems dead. */
  isOurs(): Promise<boolean>;
  release(): Promise<void>;
}

export interface LockOptions {
  readonly signal: AbortSignal | undefined;
  /** Called again and again while another has the lock; `partialSize` is how far that one has come. */
  readonly onWait: (partialSize: number) => void;
}

/** One reference's place in a cache. */
export interface CacheEntry {
  /** As messages name it. */
  readonly place: string;
  find(): Promise<{ readonly content: Content; readonly record: FileRecord | null } | null>;
  /** What is noted, though the file may be missing. */
  record(): Promise<FileRecord | null>;
  note(record: FileRecord): Promise<void>;
  lock(options: LockOptions): Promise<Lock>;
  /** To be called by the lock's holder. */
  openPartial(): Promise<Partial>;
}

/** A file in a cache. */
export interface CachedFile {
  /** As given to `fetchWeights`, but for the query of a URL; null where no note of it is left. */
  readonly reference: string | null;
  readonly file: string;
  /** Its path, or where it is in the browser's private file system. */
  readonly place: string;
  /** Bytes of the whole file; 0 where only a part is there. */
  readonly size: number;
  /** Bytes of downloads that were broken off, and go on at the next call. */
  readonly partialSize: number;
  readonly sha256: string | null;
  /** When it was downloaded, as an ISO date. */
  readonly downloaded: string | null;
}

/** What was removed from a cache. */
export interface Cleared {
  /** Whole files. */
  readonly files: number;
  readonly bytes: number;
  /** Places left alone because something is being downloaded to them. */
  readonly busy: readonly string[];
}

export interface Store {
  /** False where nothing outlives the page. */
  readonly lasting: boolean;
  entry(reference: RemoteReference): CacheEntry;
  list(): Promise<CachedFile[]>;
  /** Removes one reference's files, or all. */
  clear(slug: string | undefined): Promise<Cleared>;
}

/** The cache of this platform. */
export async function openStore(cache: string | undefined): Promise<Store> {
  if (inNode()) return (await import('./disk.ts')).openDisk(cache);
  const { openPrivateFiles } = await import('./private-files.ts');
  return (await openPrivateFiles(cache)) ?? (await import('./memory.ts')).openMemory();
}

/** A record as it was noted; null where the text is none. */
export function parseNote<T>(text: string, needed: readonly (keyof T & string)[]): T | null {
  try {
    const value = JSON.parse(text) as T;
    return value && needed.every((key) => key in (value as object)) ? value : null;
  } catch {
    return null;
  }
}

export const RECORD_KEYS = ['file', 'modified', 'reference', 'sha256', 'size', 'source'] as const;
export const ABOUT_KEYS = ['etag', 'file', 'from', 'lastModified', 'reference', 'total'] as const;
