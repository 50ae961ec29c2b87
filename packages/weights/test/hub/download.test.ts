// Servers that misbehave, and what becomes of a download then.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { fetchWeights, type FetchOptions, type FetchProgress } from '../../src/hub.ts';
import {
  bytesOf,
  file,
  redirect,
  serve,
  sha256,
  status,
  type Handler,
  type TestServer,
} from './server.ts';

const BYTES = bytesOf(200_000);
const OTHER = bytesOf(200_000, 2);
const HASH = sha256(BYTES);

let cache: string;
let servers: TestServer[] = [];

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'convoke-hub-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const { close } of servers) close();
  servers = [];
  await rm(cache, { recursive: true, force: true });
});

async function server(...handlers: Handler[]): Promise<TestServer> {
  const started = await serve(...handlers);
  servers.push(started);
  return started;
}

const fetchFrom = (at: TestServer, options: FetchOptions = {}) =>
  fetchWeights(`${at.origin}/net.safetensors`, {
    cache,
    retryDelay: 5,
    stallTimeout: 400,
    ...options,
  });

/** Every file of the cache, without its notes. */
async function filesInCache(): Promise<string[]> {
  const all = await readdir(cache, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.json'))
    .map(({ name }) => name);
}

describe('a download', () => {
  it('comes once, and from the cache ever after', async () => {
    const at = await server(file(BYTES));
    const first = await fetchFrom(at);
    expect(first).toMatchObject({
      file: 'net.safetensors',
      size: BYTES.length,
      source: `${at.origin}/net.safetensors`,
      sha256: HASH,
      integrity: 'first',
      fromCache: false,
      waited: false,
      cached: true,
    });
    expect(first.path!.startsWith(cache)).toBe(true);
    expect(new Uint8Array(await readFile(first.path!))).toEqual(BYTES);
    const second = await fetchFrom(at);
    expect(second).toMatchObject({
      path: first.path,
      sha256: HASH,
      integrity: 'recorded',
      fromCache: true,
    });
    expect(await second.bytes()).toEqual(BYTES);
    const slice = (await second.blob()).slice(1000, 1010);
    expect(new Uint8Array(await slice.arrayBuffer())).toEqual(BYTES.slice(1000, 1010));
    expect(at.requests).toHaveLength(1);
    expect(await filesInCache()).toEqual(['net.safetensors']);
  });

  it('tells the total before the first byte, and each step', async () => {
    const at = await server(file(BYTES));
    const told: FetchProgress[] = [];
    await fetchFrom(at, { onProgress: (progress) => told.push(progress) });
    const total = BYTES.length;
    expect(told[0]).toEqual({ file: 'net.safetensors', loaded: 0, total, phase: 'downloading' });
    expect(told.at(-1)).toMatchObject({ loaded: total, total });
    const steps = told.map(({ loaded }) => loaded);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  it('does without lengths', async () => {
    const at = await server((_, response) => {
      response.write(BYTES.subarray(0, 70_000));
      response.end(BYTES.subarray(70_000));
    });
    const told: FetchProgress[] = [];
    const got = await fetchFrom(at, { onProgress: (progress) => told.push(progress) });
    expect(got.sha256).toBe(HASH);
    expect(new Set(told.map(({ total }) => total))).toEqual(new Set([null]));
  });

  it('goes on where the connection broke, as often as it does', async () => {
    const at = await server(file(BYTES, { breakAfter: 30_000 }));
    await expect(fetchFrom(at, { retries: 0 })).rejects.toMatchObject({ code: 'network' });
    expect(at.requests).toHaveLength(1);
    const before = at.requests.length;
    at.handlers = [file(BYTES, { breakAfter: 30_000 })];
    const got = await fetchFrom(at);
    expect(got).toMatchObject({ sha256: HASH, integrity: 'first' });
    const ranges = at.requests.slice(before).map(({ headers }) => headers.range);
    expect(ranges[0]).toBe('bytes=30000-');
    expect(ranges.at(-1)).toBe('bytes=180000-');
    expect(at.requests[before]!.headers['if-range']).toMatch(/^"[0-9a-f]{16}"$/);
    expect(await filesInCache()).toEqual(['net.safetensors']);
  });

  it('goes on after a stall', async () => {
    const at = await server(file(BYTES, { stallAfter: 50_000 }), file(BYTES));
    expect((await fetchFrom(at)).sha256).toBe(HASH);
    expect(at.requests[1]!.headers.range).toBe('bytes=50000-');
  });

  it('fails where a server only ever stalls, and says so', async () => {
    const at = await server(() => undefined);
    await expect(fetchFrom(at, { retries: 1, stallTimeout: 60 })).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/nothing came for 0\.06 s \(tried 2 times\)/),
    });
  });

  it('starts over where the server ignores ranges', async () => {
    const whole: Handler = (_, response) => response.end(BYTES);
    const at = await server(file(BYTES, { breakAfter: 30_000 }), whole);
    expect((await fetchFrom(at)).sha256).toBe(HASH);
  });

  it('starts over where the file has changed between the parts', async () => {
    for (const options of [
      {},
      { ifRange: false },
      { etag: null, lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' },
    ]) {
      const changed = {
        ...options,
        ...('etag' in options && { lastModified: 'Tue, 02 Jan 2024 00:00:00 GMT' }),
      };
      const at = await server(
        file(BYTES, { ...options, breakAfter: 30_000 }),
        file(OTHER, changed),
      );
      const got = await fetchFrom(at);
      expect(at.requests[1]!.headers.range).toBe('bytes=30000-');
      expect(await got.bytes()).toEqual(OTHER);
    }
  });

  it('starts over where nothing tells one version from another, but for a known hash', async () => {
    const quiet = { etag: null };
    const at = await server(file(BYTES, { ...quiet, breakAfter: 30_000 }), file(BYTES, quiet));
    await fetchFrom(at);
    expect(at.requests[1]!.headers.range).toBeUndefined();
    const known = await server(file(BYTES, { ...quiet, breakAfter: 30_000 }), file(BYTES, quiet));
    await fetchFrom(known, { sha256: HASH });
    expect(known.requests[1]!.headers.range).toBe('bytes=30000-');
  });

  it('starts over where parts of a known hash do not fit together', async () => {
    const quiet = { etag: null };
    const at = await server(file(OTHER, { ...quiet, breakAfter: 30_000 }), file(BYTES, quiet));
    const got = await fetchFrom(at, { sha256: HASH.slice(0, 8) });
    expect(got).toMatchObject({ sha256: HASH, integrity: 'prefix' });
    expect(at.requests).toHaveLength(3);
  });

  it('starts over where the server answers with another part, or that there is no such range', async () => {
    const lying: Handler = (_, response) =>
      response
        .writeHead(206, { 'content-range': `bytes 0-9/${BYTES.length}`, etag: '"x"' })
        .end(BYTES.subarray(0, 10));
    for (const second of [lying, status(416)]) {
      const at = await server(
        file(BYTES, { etag: '"x"', breakAfter: 30_000 }),
        second,
        file(BYTES),
      );
      expect((await fetchFrom(at)).sha256).toBe(HASH);
    }
  });

  it('refuses a wrong hash, by the option or the name, and keeps nothing', async () => {
    const at = await server(file(OTHER));
    await expect(fetchFrom(at, { sha256: HASH })).rejects.toMatchObject({
      code: 'checksum',
      message: expect.stringMatching(new RegExp(`${sha256(OTHER)}.*${HASH}.*option sha256`)),
    });
    await expect(
      fetchWeights(`${at.origin}/net-${HASH.slice(0, 8)}.pth`, { cache }),
    ).rejects.toMatchObject({ code: 'checksum', message: expect.stringContaining('name says') });
    expect(await filesInCache()).toEqual([]);
    const told = await fetchWeights(`${at.origin}/net-${HASH.slice(0, 8)}.pth`, {
      cache,
      hashFromName: false,
    });
    expect(told.integrity).toBe('first');
  });

  it('refuses lengths other than expected, and more bytes than allowed', async () => {
    const at = await server(file(BYTES));
    await expect(fetchFrom(at, { size: 5 })).rejects.toMatchObject({ code: 'size' });
    await expect(fetchFrom(at, { size: 300_000 })).rejects.toMatchObject({
      code: 'size',
      message: expect.stringMatching(/200000 bytes, not the 300000 expected/),
    });
    await expect(fetchFrom(at, { maxBytes: 1000 })).rejects.toThrow(/more than the limit of 1000/);
    const endless = await server((_, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write(BYTES, () => setImmediate(more));
      };
      more();
    });
    await expect(fetchFrom(endless, { maxBytes: 1_000_000 })).rejects.toMatchObject({
      code: 'size',
    });
    expect(await filesInCache()).toEqual([]);
  });

  it('refuses more bytes than a range announced', async () => {
    const more: Handler = (_, response) => {
      const headers = {
        etag: '"x"',
        'content-range': `bytes 30000-${BYTES.length - 1}/${BYTES.length}`,
      };
      response.writeHead(206, headers);
      response.end(new Uint8Array(BYTES.length));
    };
    const at = await server(file(BYTES, { etag: '"x"', breakAfter: 30_000 }), more);
    await expect(fetchFrom(at)).rejects.toMatchObject({ code: 'size' });
    expect(await filesInCache()).toEqual([]);
  });

  it('is not whole until the announced length has come', async () => {
    const at = await server((_, response) => {
      // What the connection's end cuts off is nothing that HTTP notices here.
      response.shouldKeepAlive = false;
      response.writeHead(200, { 'content-length': '200000' });
      response.write(BYTES.subarray(0, 100_000), () =>
        setTimeout(() => response.socket?.end(), 20),
      );
    });
    await expect(fetchFrom(at, { retries: 1 })).rejects.toMatchObject({ code: 'network' });
    expect(await filesInCache()).not.toContain('net.safetensors');
  });

  it('unpacks what a server sends packed all the same', async () => {
    const at = await server((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(BYTES));
    });
    expect((await fetchFrom(at)).sha256).toBe(HASH);
  });

  it.each([
    ['a page', { 'content-type': 'text/html; charset=utf-8' }, 'sign in first'],
    ['a page without a type', {}, '\n<!DOCTYPE html><title>Moved</title>'],
    [
      'an XML error',
      { 'content-type': 'application/octet-stream' },
      '<?xml version="1.0"?><Error/>',
    ],
    ['a Git LFS pointer', {}, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n'],
    ['nothing', {}, ''],
  ])('refuses %s', async (_, headers, text) => {
    const at = await server((__, response) => response.writeHead(200, headers).end(text));
    await expect(fetchFrom(at)).rejects.toMatchObject({ code: 'content' });
    expect(at.requests).toHaveLength(1);
    expect(await filesInCache()).toEqual([]);
  });

  it('keeps what it has when a page comes instead of the rest', async () => {
    const page: Handler = (_, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    const at = await server(file(BYTES, { breakAfter: 30_000 }), page, file(BYTES));
    await expect(fetchFrom(at)).rejects.toMatchObject({ code: 'content' });
    await fetchFrom(at);
    expect(at.requests[2]!.headers.range).toBe('bytes=30000-');
  });

  it('tries again what may pass, and at once gives up what will not', async () => {
    const busy = await server(status(503), status(429, { 'retry-after': '0' }), file(BYTES));
    expect((await fetchFrom(busy)).sha256).toBe(HASH);
    expect(busy.requests).toHaveLength(3);
    const missing = await server(status(404));
    await expect(fetchFrom(missing)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/answered 404 Not Found/),
    });
    expect(missing.requests).toHaveLength(1);
    const closed = await server(status(401));
    await expect(fetchFrom(closed)).rejects.toThrow(/401.*HF_TOKEN/);
  });

  it('asks the mirrors in order, and names every cause where none has it', async () => {
    const missing = await server(status(404));
    const wrong = await server(file(OTHER));
    const right = await server(file(BYTES));
    const mirrors = [`${wrong.origin}/x/`, `${right.origin}/another-name`];
    const got = await fetchFrom(missing, { mirrors, sha256: HASH });
    expect(got).toMatchObject({ source: `${right.origin}/another-name`, integrity: 'sha256' });
    expect(wrong.requests[0]!.url).toBe('/x/net.safetensors');
    expect((await fetchFrom(missing, { sha256: HASH })).fromCache).toBe(true);

    const failed = fetchFrom(missing, {
      mirrors: mirrors.slice(0, 1),
      sha256: HASH,
      cache: `${cache}/2`,
    });
    await expect(failed).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(new RegExp(`${missing.origin}.*404.*${wrong.origin}.*sha256`)),
      cause: { errors: [{ code: 'network' }, { code: 'checksum' }] },
    });
  });

  it('goes on at a mirror with what came from elsewhere, where the hash is known', async () => {
    const broken = await server(file(BYTES, { breakAfter: 30_000 }), status(404));
    const mirror = await server(file(BYTES, { etag: '"another"' }));
    const mirrors = [`${mirror.origin}/`];
    expect((await fetchFrom(broken, { mirrors, sha256: HASH })).sha256).toBe(HASH);
    expect(mirror.requests[0]!.headers.range).toBe('bytes=30000-');
  });

  it('ends with the reason of its signal and goes on from there at the next call', async () => {
    const at = await server(file(BYTES, { stallAfter: 50_000 }), file(BYTES));
    const controller = new AbortController();
    const reason = new Error('enough');
    const fetching = fetchFrom(at, {
      signal: controller.signal,
      stallTimeout: 60_000,
      onProgress: ({ loaded }) => loaded === 50_000 && controller.abort(reason),
    });
    await expect(fetching).rejects.toBe(reason);
    expect((await fetchFrom(at)).sha256).toBe(HASH);
    expect(at.requests[1]!.headers.range).toBe('bytes=50000-');
    await expect(fetchFrom(at, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('ends with the reason of its signal while it waits to try again', async () => {
    const at = await server(status(503));
    const signal = AbortSignal.timeout(50);
    const error = await fetchFrom(at, { signal, retryDelay: 60_000 }).catch((thrown) => thrown);
    expect(signal.aborted).toBe(true);
    expect(error).toBe(signal.reason);
  });
});

describe('redirects', () => {
  it('are followed, and the token stays with its host', async () => {
    const store = await server(file(BYTES));
    const hub = await server(redirect('/there'), redirect(`${store.origin}/signed?secret=1`));
    const got = await fetchFrom(hub, { token: 'hf_abc' });
    expect(got.sha256).toBe(HASH);
    expect(hub.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer hf_abc',
      'Bearer hf_abc',
    ]);
    expect(store.requests[0]!.headers.authorization).toBeUndefined();
  });

  it('do not bring the token back to its host', async () => {
    const other = await server(status(404));
    const hub = await server(redirect(`${other.origin}/a`), file(BYTES));
    other.handlers = [redirect(`${hub.origin}/b`)];
    await fetchFrom(hub, { token: 'hf_abc' });
    expect(hub.requests[1]!.headers.authorization).toBeUndefined();
  });

  it('end somewhere', async () => {
    const loop = await server(redirect('/again'));
    await expect(fetchFrom(loop)).rejects.toThrow(/more than 10 times/);
    for (const [to, why] of [
      ['ftp://host/a', /ftp:/],
      ['file:///etc/passwd', /file:/],
      ['http://a:b@host/', /user or password/],
    ] as const) {
      await expect(fetchFrom(await server(redirect(to)))).rejects.toThrow(why);
    }
    await expect(fetchFrom(await server(status(302)))).rejects.toThrow(/to nowhere/);
  });
});

describe('the hub', () => {
  it('gets HF_TOKEN, and no mirror does', async () => {
    vi.stubEnv('HF_TOKEN', 'hf_env');
    const hub = await server(status(404));
    const mirror = await server(file(BYTES));
    vi.stubEnv('HF_ENDPOINT', hub.origin);
    const options = { cache, mirrors: [`${mirror.origin}/`] };
    const got = await fetchWeights('hf:owner/name@v2', options);
    expect(got.reference).toBe('hf:owner/name@v2/model.safetensors');
    expect(hub.requests[0]!.url).toBe('/owner/name/resolve/v2/model.safetensors');
    expect(hub.requests[0]!.headers.authorization).toBe('Bearer hf_env');
    expect(mirror.requests[0]!.headers.authorization).toBeUndefined();
    await fetchFrom(mirror);
    expect(mirror.requests[1]!.headers.authorization).toBeUndefined();
    await expect(fetchFrom(hub, { token: 'a\nb' })).rejects.toMatchObject({ code: 'reference' });
  });

  it('is held to the hash that it announces', async () => {
    const store = await server(file(BYTES));
    const told = (hash: string): Handler =>
      redirect(`${store.origin}/x`, { 'x-linked-etag': `"${hash}"` });
    const hub = await server(told(HASH), told(sha256(OTHER)));
    const options = { cache, endpoint: hub.origin };
    expect((await fetchWeights('hf:o/right', options)).integrity).toBe('announced');
    await expect(fetchWeights('hf:o/wrong', options)).rejects.toMatchObject({
      code: 'checksum',
      message: expect.stringContaining('the server announced'),
    });
  });
});
