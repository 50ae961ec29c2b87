// Every TypeScript example in the README files and in docs/ runs, and prints what its comments say.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { examplesIn, promisesIn } from './examples.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const pages = [
  join(root, 'README.md'),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, 'docs', name)),
  ...readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name, 'README.md')),
];
const examples = pages.flatMap((page) =>
  examplesIn(readFileSync(page, 'utf8')).map((code, i) => ({
    name: `${relative(root, page)}, example ${i + 1}`,
    code,
  })),
);

// Inside this package, so that imports resolve as in the workspace: to sources, which Node runs as they are.
let folder: string;
beforeAll(() => {
  mkdirSync(join(root, 'apps/cli/build'), { recursive: true });
  folder = mkdtempSync(join(root, 'apps/cli/build/examples-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('examples in the documentation', () => {
  test.each(examples)('$name runs', ({ name, code }) => {
    const file = join(folder, `${name.replaceAll(/\W+/g, '-')}.mts`);
    writeFileSync(file, code);
    const output = execFileSync(process.execPath, ['--conditions=@convoke/source', file], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    for (const promised of promisesIn(code)) expect(output).toContain(promised);
  });
});
