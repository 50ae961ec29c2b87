// References that need no cache: files on a disk, and bytes in memory. They are hashed only where something is known of them.

import { WeightsError } from '../errors.ts';
import { checksumError, expectedHash, integrityOf, type ExpectedHash } from './checksum.ts';
import { contentOf } from './disk.ts';
import { memoryContent } from './memory.ts';
import type { FetchedWeights, FetchOptions } from './options.ts';
import { nodeModule } from './platform.ts';
import { fileNameOf, shownUrl } from './reference.ts';
import { createSha256 } from './sha256.ts';
import type { Content } from './store.ts';

async function checked(
  content: Content,
  file: string,
  source: string,
  expected: ExpectedHash | undefined,
  reference: string,
  { size, signal, onProgress }: FetchOptions,
): Promise<FetchedWeights> {
  if (size !== undefined && content.size !== size) {
    throw new WeightsError('size', `${source} has ${content.size} bytes, not the ${size} expected`);
  }
  let sha256: string | null = null;
  if (expected) {
    const hasher = createSha256();
    const reader = (await content.blob()).stream().getReader();
    for (let loaded = 0; ;) {
      signal?.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) break;
      hasher.update(value);
      loaded += value.length;
      onProgress?.({ file, loaded, total: content.size, phase: 'checking' });
    }
    sha256 = hasher.digest();
    const wrong = checksumError(source, sha256, expected);
    if (wrong) throw wrong;
  }
  return {
    reference,
    file,
    size: content.size,
    ...(content.path !== undefined && { path: content.path }),
    source,
    sha256,
    integrity: expected ? integrityOf(expected) : 'unchecked',
    fromCache: false,
    waited: false,
    cached: false,
    bytes: content.bytes,
    blob: content.blob,
  };
}

/** A file on a disk. */
export async function localFile(
  path: string,
  reference: string,
  options: FetchOptions,
): Promise<FetchedWeights> {
  const file = nodeModule('node:path').basename(path);
  const expected = expectedHash(file, options);
  let content: Content;
  try {
    content = await contentOf(path);
  } catch (cause) {
    const hub = /^[\w.-]+\/[\w.-]+$/.test(reference) ? `; for the hub, write hf:${reference}` : '';
    throw new WeightsError('read', `cannot read ${path}: ${(cause as Error).message}${hub}`, {
      cause,
    });
  }
  return checked(content, file, path, expected, reference, options);
}

/** What a `data:` or `blob:` URL holds. */
export async function memoryFile(
  url: string,
  reference: string,
  options: FetchOptions,
): Promise<FetchedWeights> {
  const shown = shownUrl(url);
  const file = url.startsWith('data:') ? 'data' : fileNameOf(url);
  const expected = expectedHash(file, { ...options, hashFromName: false });
  let blob: Blob;
  try {
    const response = await fetch(url, options.signal ? { signal: options.signal } : {});
    blob = await response.blob();
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new WeightsError('read', `cannot read ${shown}: ${(cause as Error).message}`, { cause });
  }
  const shownReference = reference.startsWith('data:') ? shown : reference;
  return checked(memoryContent(blob), file, shown, expected, shownReference, options);
}
