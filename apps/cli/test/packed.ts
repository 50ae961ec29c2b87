// Our packages as a registry would have them: packed, with what of ours each needs.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../../../', import.meta.url));
/** Folders of `packages/`; each holds the package `@convoke/FOLDER`. */
export const packageNames: readonly string[] = readdirSync(join(root, 'packages'));

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

export function manifestOf(name: string): Manifest {
  const folder = name.slice('@convoke/'.length);
  return JSON.parse(
    readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'),
  ) as Manifest;
}

/** Packs packages into `folder`; returns the tarballs by name. */
export function pack(names: readonly string[], folder: string): Map<string, string> {
  const pnpm = join(root, 'node_modules/.bin/pnpm');
  const tarballs = new Map<string, string>();
  for (const name of names) {
    const own = name.slice('@convoke/'.length);
    const target = join(folder, own);
    mkdirSync(target, { recursive: true });
    execFileSync(pnpm, ['pack', '--pack-destination', target], {
      cwd: join(root, 'packages', own),
      stdio: 'pipe',
    });
    tarballs.set(name, join(target, readdirSync(target)[0]!));
  }
  return tarballs;
}

/** The packages and what of ours they depend on. */
export function closure(names: readonly string[]): string[] {
  const all = new Set<string>();
  const pending = [...names];
  for (let name = pending.pop(); name; name = pending.pop()) {
    if (all.has(name)) continue;
    all.add(name);
    const { dependencies = {} } = manifestOf(name);
    pending.push(...Object.keys(dependencies).filter((other) => other.startsWith('@convoke/')));
  }
  return [...all];
}

/** An empty project with these tarballs installed, without a registry. */
export function createProject(folder: string, tarballs: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'user', private: true, type: 'module' }),
  );
  execFileSync(
    'npm',
    ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts', ...tarballs],
    { cwd: folder, stdio: 'pipe', shell: process.platform === 'win32' },
  );
}
