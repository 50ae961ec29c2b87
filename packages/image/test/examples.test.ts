// The example runs as a user runs it, on a picture and on its own drawing.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { expect, it } from 'vitest';

import { decode, encode } from '../src/node.ts';
import { scene } from './samples.ts';

const script = fileURLToPath(new URL('../examples/contact-sheet.mjs', import.meta.url));
const run = promisify(execFile);

it('contact-sheet writes a sheet with the picture and an answer a kernel', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'convoke-sheet-'));
  try {
    const path = join(folder, 'photo.jpg');
    await writeFile(path, await encode(scene(320, 240, 3), { format: 'jpeg' }));
    for (const parts of [[], [path, join(folder, 'sheet.png')]]) {
      const { stdout } = await run(
        process.execPath,
        ['--conditions=@convoke/source', script, ...parts],
        { cwd: folder },
      );
      expect(stdout).toContain('sobelX');
      const name = parts[1] ?? join(folder, 'contact-sheet.png');
      const sheet = await decode(new Uint8Array(await readFile(name)));
      // Four tiles of 200x150 in a row, with margins; 16 kernels and the picture make five rows.
      expect([sheet.width, sheet.height]).toEqual([4 * 208, 5 * 158]);
      const dark = sheet.data.reduce((count, value) => count + (value < 40 ? 1 : 0), 0);
      expect(dark / sheet.data.length).toBeGreaterThan(0.3);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
