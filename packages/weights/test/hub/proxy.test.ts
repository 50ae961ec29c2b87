// A proxy between us and the server, by the variables that name it.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { fetchWeights } from '../../src/hub.ts';
import { startFetching } from './child.ts';
import { bytesOf, file, serve, sha256, type TestServer } from './server.ts';

const PEM = new URL('localhost.pem', import.meta.url);
const BYTES = bytesOf(100_000);

let cache: string;
let server: TestServer;
let proxy: Server;
let proxyUrl: string;
/** What the proxy was asked for. */
let asked: string[];
/** The credentials it was given. */
let authorized: (string | undefined)[];
let sockets: Socket[];

/** Forwards plain requests, and tunnels by CONNECT. */
function startProxy(): Promise<void> {
  proxy = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    authorized.push(request.headers['proxy-authorization']);
    const { host, pathname } = new URL(request.url!);
    const [hostname, port] = host.split(':');
    const forwarded = httpRequest(
      { hostname: hostname!, port, path: pathname, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(forwarded);
  });
  proxy.on('connect', (request, client: Socket, head) => {
    asked.push(`CONNECT ${request.url}`);
    const [hostname, port] = request.url!.split(':');
    const upstream = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    sockets.push(client, upstream);
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
  });
  return new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
}

beforeEach(async () => {
  for (const name of [
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'NODE_USE_ENV_PROXY',
  ]) {
    vi.stubEnv(name, undefined);
  }
  cache = await mkdtemp(join(tmpdir(), 'convoke-hub-'));
  server = await serve(file(BYTES));
  asked = [];
  authorized = [];
  sockets = [];
  await startProxy();
  proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.close();
  for (const socket of sockets) socket.destroy();
  proxy.close();
  proxy.closeAllConnections();
  await rm(cache, { recursive: true, force: true });
});

const fetchIt = () => fetchWeights(`${server.origin}/net.safetensors`, { cache, retries: 0 });

/** Whether the proxy was asked for the server. */
const throughProxy = (): boolean =>
  asked.some((line) => line.includes(new URL(server.origin).host));

describe('HTTP_PROXY', () => {
  it.each(['HTTP_PROXY', 'http_proxy'])('by the name %s is used', async (name) => {
    vi.stubEnv(name, proxyUrl);
    expect((await fetchIt()).sha256).toBe(sha256(BYTES));
    expect(throughProxy()).toBe(true);
  });

  it.each(['127.0.0.1', '*', 'example.org, 127.0.0.1'])(
    'is not used where NO_PROXY is %s',
    async (list) => {
      vi.stubEnv('HTTP_PROXY', proxyUrl);
      vi.stubEnv('NO_PROXY', list);
      await fetchIt();
      expect(asked).toEqual([]);
    },
  );

  it('is used where NO_PROXY names another port or host', async () => {
    vi.stubEnv('HTTP_PROXY', proxyUrl);
    vi.stubEnv('NO_PROXY', '127.0.0.1:1,27.0.0.1');
    await fetchIt();
    expect(throughProxy()).toBe(true);
  });

  it('fails clearly where there is no proxy at its address', async () => {
    vi.stubEnv('HTTP_PROXY', 'http://127.0.0.1:9');
    await expect(fetchIt()).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/ECONNREFUSED/),
    });
    vi.stubEnv('HTTP_PROXY', 'gopher://user:secret@host');
    await expect(fetchIt()).rejects.toThrow(/^(?!.*secret).*HTTP_PROXY is 'gopher:/);
  });

  it('gets the user of its URL, and the server does not', async () => {
    vi.stubEnv('HTTP_PROXY', proxyUrl.replace('//', '//me:p%40ss@'));
    await fetchIt();
    expect(authorized).toEqual([`Basic ${Buffer.from('me:p@ss').toString('base64')}`]);
  });
});

describe('HTTPS_PROXY', () => {
  it('is asked for a tunnel', async () => {
    vi.stubEnv('HTTPS_PROXY', proxyUrl);
    const pem = await readFile(PEM, 'utf8');
    const tls = createTlsServer({ key: pem, cert: pem }, (_, response) => {
      response.end(BYTES);
    });
    await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
    const { port } = tls.address() as AddressInfo;
    try {
      const url = `https://localhost:${port}/a`;
      // Its certificate is checked as without a proxy.
      await expect(fetchWeights(url, { cache, retries: 0 })).rejects.toMatchObject({
        code: 'network',
        message: expect.stringMatching(/self-signed/),
      });
      const env = { NODE_EXTRA_CA_CERTS: fileURLToPath(PEM) };
      expect(await startFetching(url, cache, { env }).outcome()).toMatchObject({
        sha256: sha256(BYTES),
      });
      expect(new Set(asked)).toEqual(new Set([`CONNECT localhost:${port}`]));
    } finally {
      tls.close();
      tls.closeAllConnections();
    }
  });

  it('that answers no is named', async () => {
    vi.stubEnv('HTTPS_PROXY', server.origin);
    await expect(fetchWeights('https://example.invalid/a', { cache, retries: 0 })).rejects.toThrow(
      /proxy 127\.0\.0\.1:\d+ answered|socket hang up|ECONNRESET/,
    );
  });
});
