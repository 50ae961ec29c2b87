import { readdirSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { runCheckpoint } from '../src/golden.ts';
import { fixture, fixturePath, manifest } from './fixtures.ts';

const files = readdirSync(fixturePath('.')).filter((name) =>
  /\.(pth|pt|safetensors|npy|npz|h5)$/.test(name),
);

describe('a checkpoint of the golden folder', () => {
  it.each(files)('%s gives what its manifest says', async (file) => {
    const row = await runCheckpoint({ file, bytes: fixture(file), manifest });
    expect(row).toMatchObject({ id: file, status: 'pass' });
  });

  it('is skipped where it is ONNX, or unknown to the manifest', async () => {
    for (const file of ['tiny.onnx', 'stranger.pth']) {
      const row = await runCheckpoint({ file, bytes: new Uint8Array(9), manifest });
      expect(row).toMatchObject({ status: 'skip', error: null, reason: expect.any(String) });
    }
  });

  it('fails where a value is another', async () => {
    const bytes = fixture('tiny.safetensors');
    bytes[bytes.length - 1]! ^= 1;
    const row = await runCheckpoint({ file: 'tiny.safetensors', bytes, manifest });
    expect(row.status).toBe('fail');
    expect(row.error).toBeGreaterThan(0);
  });

  it('fails where it should be refused and is not', async () => {
    const row = await runCheckpoint({
      file: 'bad_shape.safetensors',
      bytes: fixture('tiny.safetensors'),
      manifest,
    });
    expect(row).toMatchObject({ status: 'fail', reason: expect.stringContaining('refused') });
  });
});
