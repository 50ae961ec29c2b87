// Several processes at one file, and processes that die.

import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { clearCache, fetchWeights, listCache } from '../../src/hub.ts';
import { parseReference } from '../../src/hub/reference.ts';
import { startFetching } from './child.ts';
import { bytesOf, file, serve, sha256, type Handler, type TestServer } from './server.ts';

const BYTES = bytesOf(3_000_000);
const HASH = sha256(BYTES);

let cache: string;
let server: TestServer;

/** How much of the file the server sends; it holds the rest back. */
let sent: number;

/** Sends the file, as far as it may. */
const slowly: Handler = (request, response) => {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const length = BYTES.length;
  response.writeHead(start ? 206 : 200, {
    etag: '"one"',
    'content-length': length - start,
    ...(start && { 'content-range': `bytes ${start}-${length - 1}/${length}` }),
  });
  let at = start;
  const more = (): void => {
    if (response.destroyed) return;
    if (at >= length) {
      response.end();
      return;
    }
    const end = Math.min(at + 100_000, sent, length);
    if (end > at) response.write(BYTES.subarray(at, end));
    at = Math.max(at, end);
    setTimeout(more, 5);
  };
  more();
};

const reference = (): string => `${server.origin}/net.safetensors`;

function place(): { folder: string; path: string } {
  const parsed = parseReference(reference());
  if (parsed.kind !== 'remote') throw new Error('not remote');
  const folder = join(cache, 'hub', parsed.slug);
  return { folder, path: join(folder, parsed.file) };
}

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'convoke-hub-'));
  sent = 1_500_000;
  server = await serve(slowly);
});

afterEach(async () => {
  server.close();
  await rm(cache, { recursive: true, force: true });
});

describe('a process that is killed in the middle of a download', () => {
  it('leaves nothing under the file’s name, and the next goes on from there', async () => {
    const { folder, path } = place();
    for (const end of [400_000, 1_300_000, 2_000_000]) {
      sent = end;
      const child = startFetching(reference(), cache);
      await child.reached(new RegExp(`downloading ${end}`));
      await child.kill();
      const names = await readdir(folder);
      expect(names.filter((name) => !name.startsWith('.'))).toEqual([]);
    }
    const [broken] = await listCache({ cache });
    expect(broken).toMatchObject({ size: 0, sha256: null, reference: reference() });
    expect(broken!.partialSize).toBe(2_000_000);
    sent = BYTES.length;
    const got = await fetchWeights(reference(), { cache });
    expect(got).toMatchObject({ sha256: HASH, waited: false, fromCache: false });
    expect(sha256(await readFile(path))).toBe(HASH);
    const starts = server.requests.map(({ headers }) => headers.range ?? 'whole');
    expect(starts).toEqual(['whole', 'bytes=400000-', 'bytes=1300000-', 'bytes=2000000-']);
    expect((await readdir(folder)).toSorted()).toEqual(['.record.json', 'net.safetensors']);
  });

  it('at any moment leaves a whole file or none', async () => {
    const { path } = place();
    server.handlers = [file(BYTES, { etag: '"one"' })];
    for (let delay = 0; delay < 60; delay += 12) {
      const child = startFetching(reference(), cache);
      await child.reached(/downloading/);
      await new Promise((resolve) => setTimeout(resolve, delay));
      await child.kill();
      const bytes = await readFile(path).catch(() => null);
      expect([null, HASH]).toContain(bytes && sha256(bytes));
      if (bytes) await clearCache(reference(), { cache });
    }
    expect((await fetchWeights(reference(), { cache })).sha256).toBe(HASH);
  });
});

describe('two processes at one file', () => {
  it('download it once: one does, the other waits and says so', async () => {
    const first = startFetching(reference(), cache);
    await first.reached(/downloading [1-9]/);
    const second = startFetching(reference(), cache);
    await second.reached(/waiting [1-9]/);
    expect((await clearCache(undefined, { cache })).busy).toEqual([place().path]);
    sent = BYTES.length;
    expect(await Promise.all([first.outcome(), second.outcome()])).toEqual([
      { sha256: HASH, fromCache: false, waited: false, integrity: 'first' },
      { sha256: HASH, fromCache: true, waited: true, integrity: 'recorded' },
    ]);
    expect(server.requests).toHaveLength(1);
  });

  it('started together, still download it once', async () => {
    sent = BYTES.length;
    const children = [0, 1, 2].map(() => startFetching(reference(), cache));
    const outcomes = await Promise.all(children.map(({ outcome }) => outcome()));
    expect(outcomes).toEqual(Array(3).fill(expect.objectContaining({ sha256: HASH })));
    expect(
      outcomes.filter((outcome) => !(outcome as { fromCache: boolean }).fromCache),
    ).toHaveLength(1);
    expect(server.requests).toHaveLength(1);
  });

  it('go on where the first is killed: the second takes over what has come', async () => {
    const first = startFetching(reference(), cache);
    await first.reached(/downloading 1500000/);
    const second = startFetching(reference(), cache);
    await second.reached(/waiting/);
    await first.kill();
    sent = BYTES.length;
    expect(await second.outcome()).toMatchObject({ sha256: HASH, fromCache: false, waited: true });
    expect(server.requests[1]!.headers.range).toBe('bytes=1500000-');
  });

  it('wait within one process too, and the wait ends with its signal', async () => {
    const first = fetchWeights(reference(), { cache });
    await expect.poll(() => server.requests.length).toBe(1);
    const signal = AbortSignal.timeout(30);
    const error = await fetchWeights(reference(), { cache, signal }).catch((thrown) => thrown);
    expect(error).toBe(signal.reason);
    sent = BYTES.length;
    expect((await first).sha256).toBe(HASH);
  });
});

describe('the lock of a process', () => {
  it('that is dead on this machine is taken at once', async () => {
    const child = startFetching(reference(), cache);
    await child.reached(/downloading [1-9]/);
    await child.kill();
    expect(await readdir(place().folder)).toContain('.lock');
    sent = BYTES.length;
    expect(await fetchWeights(reference(), { cache })).toMatchObject({ waited: false });
  });

  it('on another machine is respected while it is touched', async () => {
    const { folder } = place();
    await mkdir(folder, { recursive: true });
    const lock = join(folder, '.lock');
    await writeFile(lock, JSON.stringify({ token: 'x', pid: 1, machine: `not ${hostname()}` }));
    const touching = setInterval(() => void utimes(lock, new Date(), new Date()), 50);
    const signal = AbortSignal.timeout(600);
    const told: string[] = [];
    const error = await fetchWeights(reference(), {
      cache,
      signal,
      onProgress: ({ phase }) => told.push(phase),
    }).catch((thrown) => thrown);
    clearInterval(touching);
    expect(error).toBe(signal.reason);
    expect(new Set(told)).toEqual(new Set(['waiting']));
    expect(server.requests).toHaveLength(0);
  });
});
