// Where a picture's bytes come from on Node, and what to call it.

import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { ImageError } from '../errors.ts';
import { DEFAULT_NAME } from '../formats/options.ts';

/** A string is a path, or an address that begins with `https:`, `http:`, `file:` or `data:`. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob;

/** An address that came as a string as a URL, else the source. */
export function located(source: ImageSource): ImageSource {
  const isAddress = typeof source === 'string' && /^(?:https?|file|data):/i.test(source);
  return isAddress && URL.canParse(source) ? new URL(source) : source;
}

function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch {
    // Another host's, which cannot be read either.
    return url.href;
  }
}

export function nameOf(source: ImageSource): string {
  if (typeof source === 'string') return source;
  if (source instanceof URL) {
    // A data: address would be the whole file.
    if (source.protocol === 'data:') return DEFAULT_NAME;
    return source.protocol === 'file:' ? pathOf(source) : basename(source.pathname) || source.host;
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
  if (!(typeof source === 'string' || source instanceof URL || source instanceof Blob)) {
    throw new ImageError(
      'argument',
      `${name}: give a path, an address, bytes or a Blob, not ${String(source)}`,
    );
  }
  try {
    if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer());
    if (typeof source === 'string' || source.protocol === 'file:') {
      return await readFile(source, { signal });
    }
    const response = await fetch(source, { signal: signal ?? null });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    const { message } = cause as Error;
    throw new ImageError('read', `${name}: cannot be read (${message})`, { cause });
  }
}
