import { createServer, type Server } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import {
  openSafetensors as openPortable,
  openWeights as openPortableWeights,
  serializeSafetensors,
} from '../src/index.ts';
import { openSafetensors, openWeights, readWeights } from '../src/node.ts';
import { fixture, fixturePath, rejection } from './fixtures.ts';

interface Request {
  readonly range: string | undefined;
  readonly path: string;
}

interface Behaviour {
  readonly ranges?: boolean;
  /** Bytes that a response lacks at its end. */
  readonly cut?: number;
  readonly version?: () => string;
}

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

/** Serves files by path; tells what was asked for. */
async function serve(
  files: Readonly<Record<string, Uint8Array>>,
  { ranges = true, cut = 0, version = () => '"1"' }: Behaviour = {},
): Promise<{ base: URL; requests: Request[] }> {
  const requests: Request[] = [];
  server = createServer(({ url, headers }, response) => {
    const path = (url ?? '').slice(1);
    const bytes = files[path];
    requests.push({ path, range: headers.range });
    if (!bytes) {
      response.writeHead(404).end('<html>no</html>');
      return;
    }
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(ranges ? (headers.range ?? '') : '') ?? [];
    const common = { etag: version() };
    if (from === undefined) {
      response.writeHead(200, { ...common, 'content-length': bytes.length }).end(bytes);
      return;
    }
    const end = Math.min(Number(to) + 1, bytes.length);
    const part = bytes.subarray(Number(from), end - cut);
    response
      .writeHead(206, { ...common, 'content-range': `bytes ${from}-${end - 1}/${bytes.length}` })
      .end(part);
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return { base: new URL(`http://127.0.0.1:${port}/`), requests };
}

/** 400 kB: far more than the first request takes. */
const large = (): Uint8Array =>
  serializeSafetensors(
    new Map(
      ['a', 'b', 'c', 'd'].map((name, i) => [
        name,
        { dtype: 'float32', shape: [25_000], data: new Float32Array(25_000).fill(i + 1) },
      ]),
    ),
  );

describe('an address', () => {
  it('costs one request for the header and one for a tensor', async () => {
    const { base, requests } = await serve({ 'w.safetensors': large() });
    const file = await openPortable(new URL('w.safetensors', base));
    expect([...file.entries.keys()]).toEqual(['a', 'b', 'c', 'd']);
    expect(requests).toHaveLength(1);
    const { data } = await file.read('c');
    expect([data.length, data[0], data[24_999]]).toEqual([25_000, 3, 3]);
    expect(requests.map(({ range }) => range)).toEqual([
      'bytes=0-65535',
      expect.stringMatching(/^bytes=2\d{5}-/),
    ]);
  });

  it('is read whole in one request more', async () => {
    const { base, requests } = await serve({ 'w.safetensors': large() });
    const { tensors } = await readWeights(new URL('w.safetensors', base));
    expect([...tensors.values()].map(({ data }) => data[9])).toEqual([1, 2, 3, 4]);
    expect(requests).toHaveLength(2);
  });

  it('whose server knows no ranges is read all the same', async () => {
    const { base, requests } = await serve({ 'w.safetensors': large() }, { ranges: false });
    const file = await openPortableWeights(new URL('w.safetensors', base).href);
    expect((await file.read('d')).data[0]).toBe(4);
    expect(requests).toHaveLength(1);
  });

  it('opens checkpoints and models with shards beside them', async () => {
    const { base } = await serve({
      'tiny.pth': fixture('tiny.pth'),
      'm/uint8.json': fixture('tfjs/uint8.json'),
      'm/uint8-shard1of1.bin': fixture('tfjs/uint8-shard1of1.bin'),
    });
    expect((await openWeights(new URL('tiny.pth', base))).entries.size).toBe(14);
    const { tensors } = await readWeights(new URL('m/uint8.json', base));
    const local = await readWeights(fixturePath('tfjs/uint8.json'));
    expect(tensors).toEqual(local.tensors);
  });

  it('that gives less than asked for, or something else, is a read error', async () => {
    const { base } = await serve({ 'w.safetensors': large() }, { cut: 10 });
    expect((await rejection(openWeights(new URL('w.safetensors', base)))).code).toBe('read');
    const missing = await rejection(openWeights(new URL('other', base)));
    expect(missing.code).toBe('read');
    expect(missing.message).toContain('404');
  });

  it('whose file changes while it is read is a read error', async () => {
    let version = 0;
    const { base } = await serve({ 'w.safetensors': large() }, { version: () => `"${version++}"` });
    const file = await openWeights(new URL('w.safetensors', base));
    expect((await rejection(file.read('d'))).message).toContain('changed');
  });

  it('is given up with the reason of the signal', async () => {
    const { base } = await serve({ 'w.safetensors': large() });
    const controller = new AbortController();
    const file = await openWeights(new URL('w.safetensors', base), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(file.read('d')).rejects.toThrow('enough');
  });

  it('that is none is told apart from a path', async () => {
    expect((await rejection(openPortableWeights('weights.pth'))).message).toContain(
      '@convoke/weights/node',
    );
    expect((await rejection(openPortableWeights(new URL('file:///x')))).message).toContain(
      '@convoke/weights/node',
    );
  });
});

describe('the same file', () => {
  const names = [
    'tiny.safetensors',
    'tiny.pth',
    'tiny_legacy.pth',
    'tiny.npz',
    'tiny_compressed.npz',
    'tiny_keras_latest.h5',
    'made/stored.keras',
  ];

  it.each(names)(
    '%s gives the same tensors from bytes, a Blob, a path and a file: URL',
    async (name) => {
      const path = fixturePath(name);
      const bytes = fixture(name);
      const { tensors } = await readWeights(bytes);
      for (const source of [
        new Blob([new Uint8Array(bytes)]),
        path,
        new URL(`file://${path}`),
        bytes.buffer as ArrayBuffer,
      ]) {
        expect((await readWeights(source)).tensors).toEqual(tensors);
      }
    },
  );

  it('is called by its name in errors', async () => {
    const named = new File(['no weights'], 'photo.jpg');
    expect((await rejection(openPortableWeights(named))).message).toMatch(/^photo\.jpg:/);
    const bytes = await rejection(openPortableWeights(new Uint8Array(0), { file: 'mine' }));
    expect(bytes.message).toMatch(/^mine: the file is empty/);
  });
});

describe('what is no weight file', () => {
  it.each([
    ['<!doctype html><html>', 'web page'],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0', 'Git LFS'],
    ['{"a": 1}', 'weightsManifest'],
    ['{"a": ', 'not JSON'],
    ['\u0008\u0007\u0012\u0007pytorch', 'ONNX'],
    ['\u0080\u0002}q\u0000.', 'safetensors'],
  ])('%j is told for what it is', async (text, word) => {
    expect(
      (await rejection(openPortableWeights(new TextEncoder().encode(text)))).message,
    ).toContain(word);
  });

  it('as a folder or a missing file is a read error', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'convoke-weights-'));
    expect((await rejection(openWeights(folder))).code).toBe('read');
    expect((await rejection(openWeights(join(folder, 'none')))).code).toBe('read');
    const path = join(folder, 'w.safetensors');
    await writeFile(path, large());
    const file = await openSafetensors(path);
    await writeFile(path, 'short');
    expect((await rejection(file.read('d'))).message).toContain('shorter');
    await file.close();
    await rm(folder, { recursive: true });
  });

  it('has no tensor of a name that it does not list', async () => {
    const file = await openWeights(fixturePath('tiny.safetensors'));
    const error = await rejection(file.read('nothing'));
    expect([error.code, error.message]).toEqual(['names', expect.stringContaining("'bn1.bias'")]);
    await file.close();
  });
});
