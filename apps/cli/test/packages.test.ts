// What a user gets: each package is packed, installed with what its README tells to install in an empty project, without
// a registry, and runs the README's example on every Node at hand.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { build, type BuildOptions } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { examplesIn, promisesIn } from './examples.ts';
import { closure, createProject, manifestOf, pack, packageNames, root } from './packed.ts';

/** One Node of each major version on the PATH and the one that runs the tests. */
function nodesAtHand(): Map<number, string> {
  const nodes = new Map<number, string>();
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  for (const path of [process.execPath, ...folders.map((folder) => join(folder, 'node'))]) {
    if (!existsSync(path)) continue;
    const [major, minor] = execFileSync(path, ['--version'], { encoding: 'utf8' })
      .slice(1)
      .split('.')
      .map(Number);
    const old = major! < 20 || (major === 20 && minor! < 19);
    if (!old && !nodes.has(major!)) nodes.set(major!, path);
  }
  return nodes;
}

const nodes = nodesAtHand();
for (const wanted of [20, 24]) {
  if (!nodes.has(wanted)) {
    console.warn(
      `\n*** NODE ${wanted} NOT FOUND ON THE PATH: the README examples did not run on it ***\n`,
    );
  }
}

function readme(folder: string): string {
  return readFileSync(join(root, 'packages', folder, 'README.md'), 'utf8');
}

/** The packages of ours that the README's `npm install` line names. */
function installed(folder: string): string[] {
  const line = /npm install ([^\n`]+)/.exec(readme(folder));
  return line ? line[1]!.split(' ').filter((word) => word.startsWith('@convoke/')) : [];
}

/** The code that a page with the module `entry` loads, chunk by chunk. */
async function bundle(
  folder: string,
  entry: string,
  options: BuildOptions = {},
  alias: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const result = await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      target: 'es2023',
      modulePreload: false,
      rollupOptions: { input: entry, preserveEntrySignatures: 'strict' },
      ...options,
    },
    resolve: { alias },
  });
  const { output } = result as unknown as { output: { type: string; code?: string }[] };
  return output.filter(({ type }) => type === 'chunk').map(({ code }) => code!);
}

let work: string;
let tarballs: Map<string, string>;

beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'convoke-packages-'));
  const names = packageNames.map((folder) => `@convoke/${folder}`);
  tarballs = pack(names, join(work, 'tarballs'));
}, 120_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe.each(packageNames)('@convoke/%s, packed and installed alone', (folder) => {
  test.each([...nodes])('runs its README example on Node %i', (major, node) => {
    const project = join(work, 'projects', folder, String(major));
    const named = installed(folder);
    expect(named, 'the npm install line of the README').toContain(`@convoke/${folder}`);
    createProject(
      project,
      closure(named).map((name) => tarballs.get(name)!),
    );
    const [example] = examplesIn(readme(folder));
    writeFileSync(join(project, 'example.mjs'), stripTypeScriptTypes(example!));
    const output = execFileSync(node, ['example.mjs'], {
      cwd: project,
      encoding: 'utf8',
      stdio: 'pipe',
    });
    expect(output.trim(), 'an example prints something').not.toBe('');
    for (const promised of promisesIn(example!)) expect(output).toContain(promised);
    const modules = join(project, 'node_modules');
    const others = readdirSync(modules).filter((name) => !name.startsWith('.'));
    expect(others, 'what an installation brings besides our packages').toEqual(['@convoke']);
  });
});

test.each(['README.md', 'docs/tensors.md'])(
  'what a page loads for the examples of %s is at most 40 KB of gzip, contract and js backend included',
  async (page) => {
    for (const [i, code] of examplesIn(readFileSync(join(root, page), 'utf8')).entries()) {
      const entry = join(work, `page-${i}.js`);
      writeFileSync(entry, stripTypeScriptTypes(code));
      const alias = Object.fromEntries(
        packageNames.map((folder) => [
          `@convoke/${folder}`,
          join(root, 'packages', folder, 'dist/index.js'),
        ]),
      );
      const chunks = await bundle(work, entry, {}, alias);
      const bytes = chunks.reduce((sum, text) => sum + gzipSync(text).length, 0);
      console.log(`${page}, example ${i + 1}: ${(bytes / 1024).toFixed(1)} KB gzip`);
      expect(bytes).toBeLessThanOrEqual(40 * 1024);
    }
  },
);

describe('@convoke/zoo, installed with all that it needs', () => {
  let project: string;
  let modules: string;

  beforeAll(() => {
    project = join(work, 'projects', 'zoo-alone');
    const { peerDependencies } = manifestOf('@convoke/zoo');
    const names = closure([
      '@convoke/zoo',
      '@convoke/backend-api',
      ...Object.keys(peerDependencies ?? {}),
    ]);
    createProject(
      project,
      names.map((name) => tarballs.get(name)!),
    );
    modules = join(project, 'node_modules');
  }, 120_000);

  test('takes at most 5 MB, without native code', () => {
    const files = readdirSync(modules, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    console.log(`@convoke/zoo and its dependencies: ${(bytes / 1e6).toFixed(2)} MB`);
    expect(files.filter((file) => /\.(node|so|dylib|dll|gyp)$/.test(file))).toEqual([]);
    expect(bytes).toBeLessThanOrEqual(5e6);
  });

  test('gives a family without any other to a bundle', async () => {
    const sources = join(modules, '@convoke/zoo/src/architectures');
    const files = readdirSync(sources);
    expect(files.length).toBeGreaterThan(15);
    /** As architectures state them. */
    const familiesIn = (code: string): string[] =>
      [...code.matchAll(/\bfamily: ['"]([^'"]+)['"]/g)].map(([, name]) => name!).toSorted();
    for (const file of files) {
      const own = familiesIn(readFileSync(join(sources, file), 'utf8'));
      expect(own).not.toEqual([]);
      const entry = join(project, 'entry.js');
      writeFileSync(entry, `export * from '@convoke/zoo/${file.slice(0, -'.ts'.length)}';\n`);
      const chunks = await bundle(project, entry, { minify: false });
      expect(familiesIn(chunks.join('\n'))).toEqual(own);
    }
  }, 120_000);
});
