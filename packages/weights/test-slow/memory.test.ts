import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const COUNT = 25;
const ELEMENTS = 1 << 20;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-memory-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** 25 tensors of 4 MiB each, whose data begin at an odd place: 105 MB. */
async function writeLarge(path: string, prefix: Uint8Array): Promise<void> {
  const handle = await open(path, 'w');
  await handle.writeFile(prefix);
  for (let i = 0; i < COUNT; i++) {
    const values = new Float32Array(ELEMENTS).fill(i + 0.5);
    await handle.writeFile(new Uint8Array(values.buffer));
  }
  await handle.close();
}

function safetensorsHeader(): Uint8Array {
  const entries = Array.from({ length: COUNT }, (_, i) => [
    `layer${i}.weight`,
    {
      dtype: 'F32',
      shape: [1024, ELEMENTS / 1024],
      data_offsets: [i * ELEMENTS * 4, (i + 1) * ELEMENTS * 4],
    },
  ]);
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const header = new Uint8Array(8 + text.length);
  new DataView(header.buffer).setBigUint64(0, BigInt(text.length), true);
  header.set(text, 8);
  return header;
}

describe('reading a float32 safetensors file of 100 MB', () => {
  it('takes at most 1.2 times its size', async () => {
    const path = join(folder, 'large.safetensors');
    await writeLarge(path, safetensorsHeader());
    const { size } = await stat(path);
    const script = fileURLToPath(new URL('reading-once.ts', import.meta.url));
    const flags = [
      '--expose-gc',
      '--no-warnings',
      '--conditions=@convoke/source',
      '--experimental-strip-types',
    ];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, path]);
    const { extra, bytes } = JSON.parse(stdout) as { extra: number; bytes: number };
    expect(bytes).toBe(COUNT * ELEMENTS * 4);
    // Less would mean that nothing was measured.
    expect(extra).toBeGreaterThan(size * 0.9);
    expect(extra).toBeLessThan(size * 1.2);
  });
});
