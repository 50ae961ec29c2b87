// A file at an address, read by HTTP ranges. A server that knows none sends the whole, which is then kept.

import { WeightsError } from '../errors.ts';
import { allocate, expectSafePath, type ByteSource } from './source.ts';

export interface UrlOptions {
  readonly fetch?: typeof globalThis.fetch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the first request asks for: most headers fit. */
const FIRST = 64 * 1024;

export async function openUrl(url: URL, name: string, options: UrlOptions): Promise<ByteSource> {
  const { signal, fetch = globalThis.fetch } = options;

  const fail = (message: string, cause?: unknown): never => {
    throw new WeightsError('read', `cannot read ${name}: ${message}`, { cause });
  };
  const request = async (range?: string): Promise<Response> => {
    signal?.throwIfAborted();
    try {
      return await fetch(url, {
        signal: signal ?? null,
        headers: range === undefined ? {} : { range },
      });
    } catch (error) {
      signal?.throwIfAborted();
      return fail((error as Error).message, error);
    }
  };
  /** Fills `target` from a response's body, which must have exactly as many bytes. */
  const fill = async (target: Uint8Array, response: Response): Promise<void> => {
    let at = 0;
    try {
      for await (const chunk of chunksOf(response)) {
        if (at + chunk.length > target.length)
          return fail(`the server sent more than it was asked for`);
        target.set(chunk, at);
        at += chunk.length;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof WeightsError) throw error;
      return fail((error as Error).message, error);
    }
    if (at < target.length) fail(`the server sent ${at} of ${target.length} bytes; try again`);
  };

  const first = await request(`bytes=0-${FIRST - 1}`);
  if (first.status === 416) fail('the file is empty, or its server refuses ranges');
  if (!first.ok) fail(`the server answered ${first.status} ${first.statusText}`.trimEnd());

  let whole: Uint8Array | undefined;
  let head = new Uint8Array(0);
  let size: number;
  if (first.status === 206) {
    size = sizeOf(first);
    if (!Number.isSafeInteger(size)) fail('the server does not tell how long the file is');
    head = new Uint8Array(Math.min(FIRST, size));
    await fill(head, first);
  } else {
    whole = await readWhole(first, (error) => {
      signal?.throwIfAborted();
      return fail((error as Error).message, error);
    });
    size = whole.length;
  }
  const version = first.headers.get('etag') ?? first.headers.get('last-modified');

  return {
    name,
    size,
    get bytes() {
      return whole;
    },
    async readInto(target, offset) {
      const end = offset + target.length;
      const kept = whole ?? head;
      if (end <= kept.length) return target.set(kept.subarray(offset, end));
      if (target.length === 0) return undefined;
      const response = await request(`bytes=${offset}-${end - 1}`);
      const now = response.headers.get('etag') ?? response.headers.get('last-modified');
      if (response.status !== 206 || sizeOf(response) !== size || now !== version) {
        await response.body?.cancel();
        fail(
          response.ok
            ? 'the file changed while it was being read, or its server gives ranges only sometimes'
            : `the server answered ${response.status} ${response.statusText}`.trimEnd(),
        );
      }
      await fill(target, response);
      return undefined;
    },
    async prefetch() {
      if (whole) return;
      const response = await request();
      if (!response.ok)
        fail(`the server answered ${response.status} ${response.statusText}`.trimEnd());
      const target = allocate(size, name);
      await fill(target, response);
      whole = target;
    },
    sibling: (path) => {
      const place = new URL(expectSafePath(path, name), url);
      return openUrl(place, place.href, options);
    },
    close: async () => undefined,
  };
}

/** The length of the whole file, which a response to a range tells; NaN where it does not. */
function sizeOf(response: Response): number {
  const range = response.headers.get('content-range') ?? '';
  return Number(/^bytes \d+-\d+\/(\d+)$/.exec(range)?.[1] ?? NaN);
}

async function* chunksOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

async function readWhole(response: Response, fail: (error: unknown) => never): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    return fail(error);
  }
}
