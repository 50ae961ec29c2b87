// What the largest of the common networks takes: VGG-16, 553 MB of weights.

import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { goldenValues } from '../src/golden.ts';
import { goldenOf } from '../test/fixtures.ts';

const golden = goldenOf('vgg16')!;
let folder: string;
let path: string;

/** A safetensors file of values that follow from names, written tensor by tensor. */
async function writeWeights(): Promise<void> {
  let end = 0;
  const entries = golden.state_dict.map(([name, shape]) => {
    const begin = end;
    end += 4 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  const handle = await open(path, 'w');
  await handle.writeFile(length);
  await handle.writeFile(header);
  for (const [name, shape] of golden.state_dict) {
    const { buffer } = goldenValues(name, shape, golden.gain);
    await handle.writeFile(new Uint8Array(buffer));
  }
  await handle.close();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'convoke-vgg16-'));
  path = join(folder, 'vgg16.safetensors');
  await writeWeights();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

it.each(['workers', 'js'])(
  'VGG-16 is built, loaded and run within 2.5 GB on %s',
  async (backend) => {
    const { size } = await stat(path);
    expect(size).toBeGreaterThan(553e6);
    const script = fileURLToPath(new URL('running-vgg16.ts', import.meta.url));
    const flags = ['--no-warnings', '--conditions=@convoke/source', '--experimental-strip-types'];
    const run = promisify(execFile)(process.execPath, [...flags, script, path, backend]);
    const { stdout } = await run;
    const { peak, loaded, used } = JSON.parse(stdout) as Record<string, number>;
    expect(loaded).toBe(golden.state_dict.length);
    expect(used).toBeLessThanOrEqual(1);
    console.log(`VGG-16 on ${backend}: ${Math.round(peak! / 1e6)} MB at most`);
    // Less would mean that nothing was measured.
    expect(peak).toBeGreaterThan(size);
    expect(peak).toBeLessThanOrEqual(2.5e9);
  },
);
