// A user's page made of the built package by Vite, and a server for it and for the pictures it fetches.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'vite';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

const HTML =
  '<!doctype html><meta charset="utf-8"><title>Convoke</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';

/** Builds the page; returns the folder that holds everything, the built page in its `dist`. */
export async function buildPage(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'convoke-image-page-'));
  await mkdir(join(folder, 'node_modules/@convoke'), { recursive: true });
  await symlink(packageFolder, join(folder, 'node_modules/@convoke/image'), 'dir');
  const source = await readFile(new URL('pages/page.ts', import.meta.url), 'utf8');
  await writeFile(join(folder, 'page.js'), stripTypeScriptTypes(source));
  await writeFile(join(folder, 'index.html'), HTML);
  await build({
    configFile: false,
    logLevel: 'warn',
    root: folder,
    mode: 'production',
    build: { outDir: join(folder, 'dist'), target: 'es2023' },
  });
  return folder;
}

export const removePage = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true });

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

export interface Site {
  readonly origin: string;
  close(): void;
}

/** Serves a folder, and `files` by their paths. Other origins may not read them. */
export async function serve(
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<Site> {
  const read = async (path: string): Promise<Uint8Array> =>
    files[path] ?? readFile(join(folder, path === '/' ? 'index.html' : path));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    read(pathname).then(
      (body) => {
        const type = pathname === '/' ? TYPES['.html'] : TYPES[extname(pathname)];
        response.writeHead(200, { 'content-type': type ?? 'application/octet-stream' });
        response.end(body);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
