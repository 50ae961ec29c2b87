// Other libraries to compare with. They are installed on demand into a folder that is no part of the workspace, and loaded
// from there.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../peers/', import.meta.url));
const require = createRequire(join(folder, 'package.json'));

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export const peerFile = (name: string): string => join(folder, name);

const manifest = (...path: readonly string[]): Manifest =>
  JSON.parse(readFileSync(join(folder, ...path, 'package.json'), 'utf8')) as Manifest;

/**
 * Installs the pinned versions and loads each, to see that it works here. The exit status: 0 where all do. Install scripts
 * are not run: no peer needs them, and some would download.
 */
export function installPeers(): number {
  const { status, error } = spawnSync(
    'pnpm',
    ['install', '--frozen-lockfile', '--ignore-scripts'],
    {
      cwd: folder,
      stdio: 'inherit',
      shell: process.platform === 'win32',
    },
  );
  if (error) process.stderr.write(`bench:peers: pnpm could not be started: ${error.message}\n`);
  if (status !== 0) return status ?? 1;
  let failures = 0;
  for (const name of Object.keys(manifest().dependencies ?? {})) {
    try {
      load(name);
      process.stdout.write(`${name} ${versionOf(name)}\n`);
    } catch (cause) {
      failures += 1;
      process.stderr.write(`bench:peers: ${name} does not load: ${(cause as Error).message}\n`);
    }
  }
  return failures > 0 ? 1 : 0;
}

export function isInstalled(packageName: string): boolean {
  return existsSync(join(folder, 'node_modules', packageName, 'package.json'));
}

export function versionOf(packageName: string): string {
  return manifest('node_modules', packageName).version;
}

/** A peer's module, as CommonJS. */
export function load<T>(packageName: string): T {
  return require(packageName) as T;
}
