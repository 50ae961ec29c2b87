// Serves the built page, with the headers that let threads share memory, and the peers' scripts where they are installed.

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { isInstalled, peerFile, versionOf } from './peers.ts';

const builtPage = fileURLToPath(new URL('./web/', import.meta.url));

interface PeerScript {
  readonly packageName: string;
  readonly file: string;
}

const wasm = (file: string): PeerScript => ({
  packageName: '@tensorflow/tfjs-backend-wasm',
  file: `dist/${file}`,
});

/** Under `peers/`: the name on the page, and where it lies. */
const peerScripts: Readonly<Record<string, PeerScript>> = {
  'tf.js': { packageName: '@tensorflow/tfjs', file: 'dist/tf.es2017.min.js' },
  'tf-backend-wasm.js': wasm('tf-backend-wasm.es2017.min.js'),
  'tfjs-backend-wasm.wasm': wasm('tfjs-backend-wasm.wasm'),
  'tfjs-backend-wasm-simd.wasm': wasm('tfjs-backend-wasm-simd.wasm'),
  'tfjs-backend-wasm-threaded-simd.wasm': wasm('tfjs-backend-wasm-threaded-simd.wasm'),
};

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.map': 'application/json',
};

const headers = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cache-control': 'no-cache',
};

function peerIndex(): Record<string, string> {
  const index: Record<string, string> = {};
  for (const [name, { packageName }] of Object.entries(peerScripts))
    if (isInstalled(packageName)) index[name] = versionOf(packageName);
  return index;
}

/** The file behind a path, or null; never one outside the page's folder. */
function fileBehind(path: string): string | null {
  if (path.startsWith('/peers/')) {
    const script = peerScripts[path.slice('/peers/'.length)];
    if (!script || !isInstalled(script.packageName)) return null;
    return peerFile(join('node_modules', script.packageName, script.file));
  }
  const file = normalize(join(builtPage, path.endsWith('/') ? `${path}index.html` : path));
  return file.startsWith(builtPage + (builtPage.endsWith(sep) ? '' : sep)) ? file : null;
}

function answer(address: string, response: ServerResponse): void {
  const { pathname } = new URL(address, 'http://localhost');
  if (pathname === '/peers/index.json') {
    response.writeHead(200, { ...headers, 'content-type': types['.json']! });
    response.end(JSON.stringify(peerIndex()));
    return;
  }
  const file = fileBehind(decodeURIComponent(pathname));
  if (file === null || !existsSync(file) || !statSync(file).isFile()) {
    response.writeHead(404, { ...headers, 'content-type': 'text/plain' });
    response.end('not found\n');
    return;
  }
  // Without a type of its own: gzipped data must not be unpacked on the way.
  const type = types[extname(file)] ?? 'application/octet-stream';
  response.writeHead(200, { ...headers, 'content-type': type });
  createReadStream(file).pipe(response);
}

export interface Site {
  readonly address: string;
  close(): void;
}

/** `port` 0 takes any. Rejects where the page was not built or the port is taken. */
export async function servePage(port: number): Promise<Site> {
  if (!existsSync(join(builtPage, 'index.html')))
    throw new Error(`the page is not built: ${builtPage} is missing; run npm run build`);
  const server: Server = createServer(({ url = '/' }, response) => {
    try {
      answer(url, response);
    } catch {
      response.writeHead(400, headers);
      response.end('bad request\n');
    }
  });
  await new Promise<void>((done, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', done);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${taken}/`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
