// A lock whose holder may live or not: that takes half a minute to decide.

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { fetchWeights } from '../src/hub.ts';
import { parseReference } from '../src/hub/reference.ts';
import { bytesOf, file, serve, sha256 } from '../test/hub/server.ts';

it('the lock of another machine that was silent is taken, and its bytes are not trusted', async () => {
  const bytes = bytesOf(100_000);
  const server = await serve(file(bytes));
  const cache = await mkdtemp(join(tmpdir(), 'convoke-hub-'));
  try {
    const reference = `${server.origin}/net.safetensors`;
    const parsed = parseReference(reference);
    if (parsed.kind !== 'remote') throw new Error('not remote');
    const folder = join(cache, 'hub', parsed.slug);
    const part = join(folder, '.part-x');
    await mkdir(part, { recursive: true });
    await writeFile(join(part, 'data'), 'from a process that may still write');
    const about = {
      reference,
      file: 'net.safetensors',
      from: '',
      etag: '"x"',
      lastModified: null,
      total: null,
    };
    await writeFile(join(part, 'about.json'), JSON.stringify(about));
    const holder = { token: 'x', pid: 1, machine: 'another' };
    await writeFile(join(folder, '.lock'), JSON.stringify(holder));
    const got = await fetchWeights(reference, { cache, sha256: sha256(bytes) });
    expect(got).toMatchObject({ waited: true, fromCache: false, integrity: 'sha256' });
    expect(server.requests.map(({ headers }) => headers.range)).toEqual([undefined]);
    expect((await readdir(folder)).toSorted()).toEqual(['.record.json', 'net.safetensors']);
  } finally {
    server.close();
    await rm(cache, { recursive: true, force: true });
  }
});
