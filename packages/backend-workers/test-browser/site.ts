// What the tests need around a page: a user's project made of the built packages, its production builds, and a server.

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build as viteBuild } from 'vite';
import webpack from 'webpack';

const packagesFolder = fileURLToPath(new URL('../..', import.meta.url));
export const fixturesFolder: string = join(packagesFolder, 'backend-testkit/fixtures/ops');

/** The packages that the page imports, by the folder each is in. */
const PACKAGES = ['backend-api', 'backend-testkit', 'backend-workers', 'core'] as const;

/** Each package's folder, as `serve` takes them: under its name. */
export const packageFolders: Readonly<Record<string, string>> = Object.fromEntries(
  PACKAGES.map((name) => [`/${name}/`, join(packagesFolder, name)]),
);

/** Headers that let a page share memory between threads. */
export const ISOLATED: Readonly<Record<string, string>> = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

const SCRIPT = '<script type="module" src="/page.js"></script>';

const html = (head: string): string =>
  `<!doctype html><meta charset="utf-8"><title>Convoke</title><link rel="icon" href="data:,">${head}`;

/** A folder as a user has it: the page's script, and the packages in node_modules. */
export class Project {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** With a script of `pages/`. */
  static async create(script: 'page' | 'kit' = 'page'): Promise<Project> {
    const folder = await mkdtemp(join(tmpdir(), 'convoke-page-'));
    await mkdir(join(folder, 'node_modules/@convoke'), { recursive: true });
    for (const name of PACKAGES) {
      await symlink(join(packagesFolder, name), join(folder, 'node_modules/@convoke', name), 'dir');
    }
    const source = await readFile(new URL(`./pages/${script}.ts`, import.meta.url), 'utf8');
    await writeFile(join(folder, 'page.js'), stripTypeScriptTypes(source));
    await writeFile(join(folder, 'index.html'), html(SCRIPT));
    return new Project(folder);
  }

  /** A production build by Vite; returns its folder. */
  async vite(): Promise<string> {
    const outDir = join(this.folder, 'vite');
    await viteBuild({
      configFile: false,
      logLevel: 'warn',
      root: this.folder,
      mode: 'production',
      build: { outDir, target: 'es2023' },
    });
    return outDir;
  }

  /** A production build by webpack; returns its folder. */
  async webpack(): Promise<string> {
    const path = join(this.folder, 'webpack');
    const compiler = webpack({
      mode: 'production',
      context: this.folder,
      entry: './page.js',
      output: { path, filename: 'page.js' },
      performance: false,
    });
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
      compiler.run((error, result) => (error ? reject(error) : resolve(result)));
    });
    await new Promise((resolve) => compiler.close(resolve));
    if (stats?.hasErrors() || stats?.hasWarnings()) throw new Error(stats.toString());
    await cp(join(this.folder, 'index.html'), join(path, 'index.html'));
    return path;
  }

  /** The page without a build, its packages at another address; returns its folder. */
  async importMap(origin: string): Promise<string> {
    const path = join(this.folder, 'import-map');
    await mkdir(path);
    const imports = Object.fromEntries(
      PACKAGES.map((name) => [`@convoke/${name}`, `${origin}/${name}/dist/index.js`]),
    );
    const map = `<script type="importmap" nonce="map">${JSON.stringify({ imports })}</script>`;
    await writeFile(join(path, 'index.html'), html(map + SCRIPT));
    await cp(join(this.folder, 'page.js'), join(path, 'page.js'));
    return path;
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.gz': 'application/gzip',
};

export interface Site {
  readonly origin: string;
  close(): void;
}

/** Serves folders, each under a path that begins and ends with a slash, on a port of its own. */
export async function serve(
  folders: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const paths = Object.keys(folders).toSorted((a, b) => b.length - a.length);
  const server: Server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = pathname.endsWith('/') ? `${pathname}index.html` : pathname;
    const path = paths.find((start) => file.startsWith(start)) ?? '/';
    readFile(join(folders[path] ?? '', file.slice(path.length))).then(
      (body) => {
        const type = TYPES[extname(file)] ?? 'application/octet-stream';
        response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store', ...headers });
        response.end(body);
      },
      () => response.writeHead(404, headers).end(),
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
