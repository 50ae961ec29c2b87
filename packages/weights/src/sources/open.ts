// From what callers have to a source of bytes.

import { WeightsError } from '../errors.ts';
import { blobSource, memorySource, type ByteSource } from './source.ts';
import { openUrl, type UrlOptions } from './url.ts';

/** Bytes, a Blob or File, an address (as a URL, or a string that a browser resolves against the page), or a source of one's own. */
export type WeightsSource = Uint8Array | ArrayBuffer | Blob | URL | string | ByteSource;

export interface SourceOptions extends UrlOptions {
  /** What errors call the file. Default: its name or address, where it has one. */
  readonly file?: string | undefined;
}

export async function openSource(
  source: WeightsSource,
  options: SourceOptions = {},
): Promise<ByteSource> {
  options.signal?.throwIfAborted();
  if (source instanceof Uint8Array) return memorySource(source, options.file ?? 'the weights');
  if (source instanceof ArrayBuffer) {
    return memorySource(new Uint8Array(source), options.file ?? 'the weights');
  }
  if (source instanceof Blob) {
    const own = 'name' in source ? String(source.name) : undefined;
    return blobSource(source, options.file ?? own ?? 'the weights');
  }
  if (source instanceof URL || typeof source === 'string') {
    const url = urlOf(source);
    return openUrl(url, options.file ?? url.href, options);
  }
  return source;
}

function urlOf(source: URL | string): URL {
  const base = (globalThis as { document?: { baseURI?: string } }).document?.baseURI;
  let url: URL;
  try {
    url = new URL(source, base);
  } catch {
    throw new WeightsError(
      'read',
      `cannot read '${String(source)}': it is no address; paths of files are for '@convoke/weights/node'`,
    );
  }
  if (!['http:', 'https:', 'blob:', 'data:'].includes(url.protocol)) {
    throw new WeightsError(
      'read',
      `cannot read ${url.href}: addresses begin with http, https, blob or data; files are for '@convoke/weights/node'`,
    );
  }
  return url;
}
