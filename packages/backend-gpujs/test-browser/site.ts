// A user's project with a page made of the built packages, its production build by Vite, and a server for it.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'vite';

const packagesFolder = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGES = [
  'backend-api',
  'backend-gpujs',
  'backend-js',
  'backend-testkit',
  'core',
  'nn',
  'weights',
] as const;

const HTML =
  '<!doctype html><meta charset="utf-8"><title>Convoke</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

export class Site {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Builds `pages/PAGE.ts` for production, minified. */
  static async build(page: string): Promise<Site> {
    const folder = await mkdtemp(join(tmpdir(), 'convoke-gpujs-'));
    const scope = join(folder, 'node_modules/@convoke');
    await mkdir(scope, { recursive: true });
    for (const name of PACKAGES)
      await symlink(join(packagesFolder, name), join(scope, name), 'dir');
    const script = await readFile(new URL(`./pages/${page}.ts`, import.meta.url), 'utf8');
    await writeFile(join(folder, 'page.js'), stripTypeScriptTypes(script));
    await writeFile(join(folder, 'index.html'), HTML);
    await build({
      configFile: false,
      logLevel: 'error',
      root: folder,
      mode: 'production',
      build: { outDir: join(folder, 'built'), target: 'es2023', chunkSizeWarningLimit: 4096 },
    });
    return new Site(folder);
  }

  /** Serves the page, with a content security policy if given, until `close`. */
  async serve(policy?: string): Promise<{ origin: string; close(): void }> {
    const fixtures = join(packagesFolder, 'backend-testkit/fixtures/ops');
    const server: Server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      const path = pathname.startsWith('/fixtures/')
        ? join(fixtures, pathname.slice('/fixtures/'.length))
        : join(this.#folder, 'built', pathname.endsWith('/') ? 'index.html' : pathname);
      readFile(path).then(
        (body) => {
          response.writeHead(200, {
            'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
            ...(policy !== undefined && { 'content-security-policy': policy }),
          });
          response.end(body);
        },
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      close: () => {
        server.close();
        server.closeAllConnections();
      },
    };
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
