// What is in the cache, what is found there, and what is not to be trusted.

import { chmod, mkdir, mkdtemp, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { clearCache, fetchWeights, listCache, type FetchOptions } from '../../src/hub.ts';
import { bytesOf, file, serve, sha256, status, type TestServer } from './server.ts';

const BYTES = bytesOf(50_000);
const OTHER = bytesOf(50_000, 2);

let cache: string;
let server: TestServer;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'convoke-hub-'));
  server = await serve(file(BYTES));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.close();
  await rm(cache, { recursive: true, force: true });
});

const reference = (): string => `${server.origin}/net.safetensors`;
const fetchIt = (options: FetchOptions = {}) =>
  fetchWeights(reference(), { cache, retryDelay: 5, retries: 1, ...options });

describe('a cached file', () => {
  it.each([
    ['cut short', (path: string) => truncate(path, 100)],
    ['changed', (path: string) => writeFile(path, OTHER)],
    ['emptied', (path: string) => writeFile(path, '')],
  ])('that was %s is downloaded again', async (_, damage) => {
    const { path } = await fetchIt();
    await damage(path!);
    await utimes(path!, new Date(), new Date(Date.now() + 5000));
    const again = await fetchIt();
    expect(again).toMatchObject({ fromCache: false, sha256: sha256(BYTES), integrity: 'recorded' });
    expect(new Uint8Array(await readFile(path!))).toEqual(BYTES);
  });

  it('that was only touched is hashed, and stays', async () => {
    const { path } = await fetchIt();
    await utimes(path!, new Date(), new Date(Date.now() + 5000));
    const phases: string[] = [];
    const onProgress = ({ phase }: { phase: string }) => phases.push(phase);
    expect((await fetchIt({ onProgress })).fromCache).toBe(true);
    expect(phases).toContain('checking');
    phases.length = 0;
    await fetchIt({ onProgress });
    expect(phases).toEqual([]);
    await fetchIt({ onProgress, verify: true });
    expect(phases).toContain('checking');
  });

  it('changed under its old time is found by verify', async () => {
    const { path } = await fetchIt();
    const { modified } = JSON.parse(
      await readFile(join(dirname(path!), '.record.json'), 'utf8'),
    ) as { modified: number };
    await writeFile(path!, OTHER);
    await utimes(path!, modified / 1000, modified / 1000);
    const verified = await fetchIt({ verify: true });
    expect(await verified.bytes()).toEqual(BYTES);
  });

  it('of another hash than is now expected is downloaded again', async () => {
    await fetchIt();
    server.handlers = [file(OTHER)];
    const got = await fetchIt({ sha256: sha256(OTHER) });
    expect(got).toMatchObject({ fromCache: false, integrity: 'sha256' });
    expect(await got.bytes()).toEqual(OTHER);
  });

  it('is downloaded again by refresh, and has to be the same', async () => {
    await fetchIt();
    expect(await fetchIt({ refresh: true })).toMatchObject({
      fromCache: false,
      integrity: 'recorded',
    });
    server.handlers = [file(OTHER)];
    await expect(fetchIt({ refresh: true })).rejects.toMatchObject({
      code: 'checksum',
      message: expect.stringMatching(/recorded at its first download.*clearCache/),
    });
    // What was there is still there.
    const old = await fetchIt();
    expect(await old.bytes()).toEqual(BYTES);
    await clearCache(reference(), { cache });
    const fresh = await fetchIt();
    expect(await fresh.bytes()).toEqual(OTHER);
    expect(fresh.integrity).toBe('first');
  });

  it('put there by hand is taken, and noted', async () => {
    const error: Error = await fetchIt({ offline: true }).catch((thrown) => thrown);
    const path = /looked at (.*?)\)/.exec(error.message)![1]!;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, BYTES);
    expect(await fetchIt({ offline: true })).toMatchObject({
      path,
      fromCache: true,
      integrity: 'first',
      sha256: sha256(BYTES),
    });
    expect(await fetchIt({ offline: true })).toMatchObject({ integrity: 'recorded' });
    expect(server.requests).toHaveLength(0);
  });

  it('is read from a cache that cannot be written', async () => {
    const { path } = await fetchIt();
    await utimes(path!, new Date(), new Date(Date.now() + 5000));
    await chmod(dirname(path!), 0o500);
    try {
      expect((await fetchIt()).fromCache).toBe(true);
    } finally {
      await chmod(dirname(path!), 0o700);
    }
  });
});

describe('a cache that cannot be made', () => {
  it('is an error that names it and the next step', async () => {
    await writeFile(join(cache, 'file'), '');
    await expect(fetchIt({ cache: join(cache, 'file') })).rejects.toMatchObject({
      code: 'write',
      message: expect.stringMatching(/file.hub.*CONVOKE_CACHE/),
    });
  });
});

describe('offline mode', () => {
  it.each(['CONVOKE_OFFLINE', 'HF_HUB_OFFLINE'])('is switched on by %s', async (name) => {
    await fetchIt();
    vi.stubEnv(name, '1');
    expect((await fetchIt()).fromCache).toBe(true);
    await clearCache(reference(), { cache });
    await expect(fetchIt()).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringMatching(new RegExp(`net\\.safetensors.*${cache}.*offline`)),
    });
    expect((await fetchIt({ offline: false })).fromCache).toBe(false);
    vi.stubEnv(name, '0');
    expect((await fetchIt()).fromCache).toBe(true);
  });

  it('says where a cached file is damaged, and touches no network', async () => {
    const { path } = await fetchIt();
    await writeFile(path!, 'short');
    await expect(fetchIt({ offline: true })).rejects.toMatchObject({
      code: 'checksum',
      message: expect.stringContaining(path!),
    });
    await expect(fetchIt({ offline: true, size: 50_000 })).rejects.toMatchObject({ code: 'size' });
    expect(server.requests).toHaveLength(1);
  });
});

describe('listCache and clearCache', () => {
  it('tell and remove files, with their sizes', async () => {
    expect(await listCache({ cache })).toEqual([]);
    const { path } = await fetchIt();
    await fetchWeights(`${server.origin}/other.pth?token=secret`, { cache });
    const listed = await listCache({ cache });
    expect(listed).toHaveLength(2);
    expect(listed.find(({ place }) => place === path)).toEqual({
      reference: reference(),
      file: 'net.safetensors',
      place: path,
      size: 50_000,
      partialSize: 0,
      sha256: sha256(BYTES),
      downloaded: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(JSON.stringify(listed)).not.toContain('secret');
    expect(await clearCache(reference(), { cache })).toEqual({ files: 1, bytes: 50_000, busy: [] });
    expect(await clearCache(reference(), { cache })).toEqual({ files: 0, bytes: 0, busy: [] });
    expect(await clearCache(undefined, { cache })).toEqual({ files: 1, bytes: 50_000, busy: [] });
    expect(await listCache({ cache })).toEqual([]);
  });

  it('know of broken-off downloads', async () => {
    server.handlers = [file(BYTES, { breakAfter: 20_000 }), status(404)];
    await expect(fetchIt()).rejects.toMatchObject({ code: 'network' });
    expect(await listCache({ cache })).toMatchObject([
      { reference: reference(), size: 0, partialSize: 20_000, sha256: null, downloaded: null },
    ]);
    expect(await clearCache(reference(), { cache })).toEqual({ files: 0, bytes: 20_000, busy: [] });
  });

  it('leave alone what is not the cache’s', async () => {
    await fetchIt();
    const own = join(cache, 'hub', 'my notes');
    await mkdir(own);
    await writeFile(join(own, 'a'), 'a');
    await clearCache(undefined, { cache });
    expect(await readFile(join(own, 'a'), 'utf8')).toBe('a');
  });
});

describe('CONVOKE_CACHE', () => {
  it('is where files go by default', async () => {
    vi.stubEnv('CONVOKE_CACHE', cache);
    const { path } = await fetchWeights(reference());
    expect(path!.startsWith(join(cache, 'hub'))).toBe(true);
    expect(await listCache()).toHaveLength(1);
  });
});

describe('a local file', () => {
  it('is given as it is, by path or URL', async () => {
    const path = join(cache, 'my net.pth');
    await writeFile(path, BYTES);
    for (const given of [path, pathToFileURL(path).href]) {
      const got = await fetchWeights(given);
      expect(got).toMatchObject({
        path,
        file: 'my net.pth',
        size: 50_000,
        source: path,
        sha256: null,
        integrity: 'unchecked',
        fromCache: false,
        cached: false,
      });
      expect(await got.bytes()).toEqual(BYTES);
      expect((await got.blob()).size).toBe(50_000);
    }
  });

  it('is hashed where something is known of it', async () => {
    const path = join(cache, `net-${sha256(BYTES).slice(0, 8)}.pth`);
    await writeFile(path, BYTES);
    expect(await fetchWeights(path)).toMatchObject({ integrity: 'prefix', sha256: sha256(BYTES) });
    await truncate(path, 40_000);
    await expect(fetchWeights(path)).rejects.toMatchObject({ code: 'checksum' });
    await expect(fetchWeights(path, { size: 50_000 })).rejects.toMatchObject({ code: 'size' });
  });

  it('that is missing is named, with a hint at the hub', async () => {
    await expect(fetchWeights('timm/resnet18')).rejects.toMatchObject({
      code: 'read',
      message: expect.stringMatching(/timm.resnet18: .*hf:timm\/resnet18/),
    });
    await expect(fetchWeights(cache)).rejects.toThrow(/it is no file/);
  });

  it('may be a data: URL', async () => {
    const got = await fetchWeights('data:application/octet-stream;base64,AQID');
    expect(await got.bytes()).toEqual(Uint8Array.of(1, 2, 3));
    expect(got).toMatchObject({ size: 3, integrity: 'unchecked', source: 'data:…' });
  });
});
