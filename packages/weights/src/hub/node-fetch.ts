// One GET in Node, over node:http and, where the environment names one, through a proxy. Not Node's own fetch: up to undici 7 a
// server that closes its connection while the body is read slowly ends the whole process (nodejs/undici issue 5360), and proxies
// are known to it only from Node 24 on.

import type {
  ClientRequest,
  IncomingMessage,
  request as sendRequest,
  RequestOptions,
} from 'node:http';
import type { Duplex } from 'node:stream';

import { nodeModule } from './platform.ts';
import { proxyFor, type Proxy } from './proxy.ts';

interface Get {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const moduleFor = (url: URL): { readonly request: typeof sendRequest } =>
  nodeModule(url.protocol === 'https:' ? 'node:https' : 'node:http');

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

const proxyHeaders = ({ authorization }: Proxy): Record<string, string> =>
  authorization === undefined ? {} : { 'proxy-authorization': authorization };

/** A connection through the proxy to the target's host, by CONNECT. */
function tunnel(target: URL, proxy: Proxy, signal: AbortSignal): Promise<Duplex> {
  const place = `${target.hostname}:${target.port || '443'}`;
  return new Promise((resolve, reject) => {
    const request = moduleFor(proxy.url).request({
      method: 'CONNECT',
      host: hostOf(proxy.url),
      port: proxy.url.port || (proxy.url.protocol === 'https:' ? 443 : 80),
      path: place,
      headers: { host: place, ...proxyHeaders(proxy) },
      agent: false,
      signal,
    });
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(new Error(`the proxy ${proxy.url.host} answered ${response.statusCode}`));
    });
    request.once('response', (response) => {
      response.destroy();
      reject(new Error(`the proxy ${proxy.url.host} answered ${response.statusCode}`));
    });
    request.once('error', reject);
    request.end();
  });
}

/** The request, not sent yet. */
async function requestFor(url: URL, { headers, signal }: Get): Promise<ClientRequest> {
  // A connection of its own: idle ones that the server closes meanwhile are one thing less to go wrong.
  const options: RequestOptions = { headers, signal, agent: false };
  const proxy = proxyFor(url);
  if (!proxy) return moduleFor(url).request(url, options);
  if (url.protocol === 'http:') {
    const { host, href } = url;
    return moduleFor(proxy.url).request({
      ...options,
      host: hostOf(proxy.url),
      port: proxy.url.port || (proxy.url.protocol === 'https:' ? 443 : 80),
      path: href,
      headers: { ...headers, host, ...proxyHeaders(proxy) },
    });
  }
  const socket = await tunnel(url, proxy, signal);
  const host = hostOf(url);
  const isName = nodeModule('node:net').isIP(host) === 0;
  const request = moduleFor(url).request(url, {
    ...options,
    createConnection: () =>
      nodeModule('node:tls').connect({ socket, host, ...(isName && { servername: host }) }),
  });
  // The end of the connection inside is not the tunnel's, which would keep the process alive.
  return request.once('close', () => socket.destroy());
}

/** The body without what a server may have packed it in, though it was asked not to. */
function unpacked(message: IncomingMessage): NodeJS.ReadableStream {
  const zlib = nodeModule('node:zlib');
  const unpackers: Record<string, () => Duplex> = {
    gzip: () => zlib.createGunzip(),
    'x-gzip': () => zlib.createGunzip(),
    deflate: () => zlib.createInflate(),
    br: () => zlib.createBrotliDecompress(),
  };
  const unpack = unpackers[message.headers['content-encoding']?.toLowerCase() ?? ''];
  // The error, if any, is the stream's own too.
  return unpack ? nodeModule('node:stream').pipeline(message, unpack(), () => undefined) : message;
}

/** As `fetch`, without following redirects. */
export async function nodeFetch(given: string, get: Get): Promise<Response> {
  const request = await requestFor(new URL(given), get);
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.end();
  });
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  const empty = status === 204 || status === 205 || status === 304;
  if (empty) message.resume();
  const readable = nodeModule('node:stream').Readable;
  const body = empty ? null : readable.toWeb(unpacked(message) as InstanceType<typeof readable>);
  return new Response(body as ReadableStream<Uint8Array> | null, {
    status,
    statusText: message.statusMessage ?? '',
    headers,
  });
}
