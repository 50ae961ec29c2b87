// What a release does to versions, computed by changesets itself in a copy of the repo's package.json files.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const changesetBin = join(root, 'node_modules/@changesets/cli/bin.js');

interface Release {
  readonly name: string;
  readonly type: 'major' | 'minor' | 'patch' | 'none';
}

let copy: string;

function git(...args: string[]): void {
  execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], {
    cwd: copy,
    stdio: 'pipe',
  });
}

/** The releases that a changeset with this front matter leads to. */
function releases(
  bumps: Readonly<Record<string, 'major' | 'minor' | 'patch'>>,
): Map<string, string> {
  const lines = Object.entries(bumps).map(([name, bump]) => `'${name}': ${bump}`);
  writeFileSync(join(copy, '.changeset/tested.md'), `---\n${lines.join('\n')}\n---\n\nA change.\n`);
  git('add', '-A');
  execFileSync(process.execPath, [changesetBin, 'status', '--output=plan.json'], {
    cwd: copy,
    stdio: 'pipe',
  });
  const plan = JSON.parse(readFileSync(join(copy, 'plan.json'), 'utf8')) as { releases: Release[] };
  return new Map(
    plan.releases.filter(({ type }) => type !== 'none').map(({ name, type }) => [name, type]),
  );
}

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'convoke-release-'));
  const files = ['package.json', 'pnpm-workspace.yaml', '.changeset/config.json'];
  for (const group of ['packages', 'apps']) {
    for (const folder of readdirSync(join(root, group)))
      files.push(join(group, folder, 'package.json'));
  }
  for (const file of files) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'start');
  git('checkout', '-q', '-b', 'change');
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe('the release plan', () => {
  test.each(['patch', 'minor', 'major'] as const)(
    'a %s change in a backend moves core along and leaves the contract and the kit alone',
    (bump) => {
      const plan = releases({ '@convoke/backend-js': bump });
      expect(plan.get('@convoke/backend-js')).toBe(bump);
      expect(plan.get('@convoke/core')).toBe(bump);
      expect(plan.has('@convoke/backend-api')).toBe(false);
    },
  );

  test('a patch of the contract forces no release on anyone', () => {
    const plan = releases({ '@convoke/backend-api': 'patch' });
    expect(plan.get('@convoke/backend-api')).toBe('patch');
    expect(plan.has('@convoke/backend-js')).toBe(false);
  });
});
