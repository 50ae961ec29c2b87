// Node or a browser, and what the environment says: the modules and variables that the hub may use, without a static import.

import type * as nodeCrypto from 'node:crypto';
import type * as nodeFs from 'node:fs';
import type * as nodeFsPromises from 'node:fs/promises';
import type * as nodeHttp from 'node:http';
import type * as nodeHttps from 'node:https';
import type * as nodeNet from 'node:net';
import type * as nodeOs from 'node:os';
import type * as nodePath from 'node:path';
import type * as nodeStream from 'node:stream';
import type * as nodeTls from 'node:tls';
import type * as nodeUrl from 'node:url';
import type * as nodeZlib from 'node:zlib';

type Builtins = {
  'node:crypto': typeof nodeCrypto;
  'node:fs': typeof nodeFs;
  'node:fs/promises': typeof nodeFsPromises;
  'node:http': typeof nodeHttp;
  'node:https': typeof nodeHttps;
  'node:net': typeof nodeNet;
  'node:os': typeof nodeOs;
  'node:path': typeof nodePath;
  'node:stream': typeof nodeStream;
  'node:tls': typeof nodeTls;
  'node:url': typeof nodeUrl;
  'node:zlib': typeof nodeZlib;
};

const node = (): NodeJS.Process | undefined =>
  typeof process !== 'undefined' && typeof process.getBuiltinModule === 'function'
    ? process
    : undefined;

/** Whether files are on a disk that we reach: Node, Deno, Bun. */
export const inNode = (): boolean => node() !== undefined;

/** A module of Node's; undefined in browsers. */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] | undefined {
  return node()?.getBuiltinModule(name) as Builtins[Name] | undefined;
}

/** A module of Node's, where only Node gets to. */
export function nodeModule<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const found = builtin(name);
  if (!found) throw new TypeError(`there is no ${name} here`);
  return found;
}

/** An environment variable; undefined where it is empty, and in browsers. */
export const variable = (name: string): string | undefined => node()?.env[name] || undefined;

/** As Hugging Face reads its switches: 1, true, yes, on. */
export const isSwitchedOn = (name: string): boolean =>
  /^(1|true|yes|on)$/i.test(variable(name)?.trim() ?? '');

export type FolderVariables = Readonly<Record<string, string | undefined>>;

/**
 * The cache folder: CONVOKE_CACHE, XDG_CACHE_HOME/convoke where that is an absolute path (as the XDG specification asks), else
 * the platform's: ~/.cache/convoke, ~/Library/Caches/convoke, %LOCALAPPDATA%\convoke\Cache.
 */
export function cacheFolder(
  env: FolderVariables,
  platform: string,
  home: string,
  path: Pick<typeof nodePath, 'join' | 'resolve' | 'isAbsolute'>,
): string {
  if (env['CONVOKE_CACHE']) return path.resolve(env['CONVOKE_CACHE']);
  const xdg = env['XDG_CACHE_HOME'];
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, 'convoke');
  if (platform === 'darwin') return path.join(home, 'Library', 'Caches', 'convoke');
  if (platform === 'win32') {
    const local = env['LOCALAPPDATA'] || path.join(home, 'AppData', 'Local');
    return path.join(local, 'convoke', 'Cache');
  }
  return path.join(home, '.cache', 'convoke');
}

/** Waits; rejects with the signal's reason. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
