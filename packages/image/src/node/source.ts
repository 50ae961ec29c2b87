// Where a picture's bytes come from on Node, and what to call it.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ImageError } from '../errors.ts';
import { DEFAULT_NAME } from '../formats/options.ts';

/** A string is a path. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob;

export function nameOf(source: ImageSource): string {
  if (typeof source === 'string') return source;
  if (source instanceof URL) {
    return source.protocol === 'file:'
      ? fileURLToPath(source)
      : basename(source.pathname) || source.host;
  }
  if (source instanceof Blob && 'name' in source && typeof source.name === 'string') {
    return source.name;
  }
  return DEFAULT_NAME;
}

/** Throws an ImageError where the source cannot be read; rejects with the signal's reason where that aborts. */
export async function bytesOf(
  source: ImageSource,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    if (typeof source === 'string') return await readFile(source, { signal });
    if (!(source instanceof URL)) {
      throw new TypeError('give a path, a URL, bytes or a Blob');
    }
    if (source.protocol === 'file:') return await readFile(source, { signal });
    const response = await fetch(source, { signal: signal ?? null });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    const { message } = cause as Error;
    throw new ImageError('read', `${name}: cannot be read (${message})`, { cause });
  }
}
