import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const program = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const args = ['--conditions=@convoke/source', program, '--help'];

test('a reader that has left ends the command without a word, with the status that shells give for it', async () => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [status] = await once(child, 'close');
  expect({ status: status as number, stderr }).toEqual({ status: 141, stderr: '' });
});

const canFill = existsSync('/dev/full');
if (!canFill) console.warn('\n*** NOT TESTED: a full disk; this system has no /dev/full ***\n');

test.skipIf(!canFill)('a full disk is told in a line', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = spawnSync(process.execPath, args, {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^bench: cannot write to standard output: ENOSPC[^\n]*\n$/);
});

test.each(['--json', '--html'])(
  'a file for %s that cannot be written is told before anything runs',
  (option) => {
    const [conditions] = args;
    const run = ['kernels', '--only', 'empty', '--backends', 'js', '--peers', 'none', option];
    const path = join(tmpdir(), 'no such folder', 'results');
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [conditions!, program, ...run, path],
      { encoding: 'utf8' },
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^bench: cannot write .*no such folder[^\n]*\n$/);
  },
);
