// A web server for one file that behaves as badly as a test wants, and notes what it was asked.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface TestServer {
  readonly origin: string;
  readonly requests: IncomingMessage[];
  /** Answers each request in turn; the last answers all that follow. */
  handlers: Handler[];
  close(): void;
}

export async function serve(...handlers: Handler[]): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const handler = running.handlers[Math.min(requests.length, running.handlers.length) - 1];
    handler!(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const running: TestServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    handlers,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return running;
}

/** Bytes that look like no text, the same for the same seed. */
export function bytesOf(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export const sha256 = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

interface FileOptions {
  readonly etag?: string | null;
  readonly lastModified?: string;
  /** Whether If-Range is looked at. Default true. */
  readonly ifRange?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Breaks the connection after so many bytes of an answer. */
  readonly breakAfter?: number;
  /** Sends no more after so many bytes, without an end. */
  readonly stallAfter?: number;
}

/** A well-behaved server of a file, but for the options. */
export function file(bytes: Uint8Array, options: FileOptions = {}): Handler {
  const { etag = `"${sha256(bytes).slice(0, 16)}"`, lastModified, ifRange = true } = options;
  const validators = new Set([etag, lastModified]);
  return (request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const asked = request.headers['if-range'];
    const continues = range && (!ifRange || asked === undefined || validators.has(asked as string));
    const start = continues ? Number(range[1]) : 0;
    const headers: Record<string, string | number> = {
      'content-type': 'application/octet-stream',
      'content-length': bytes.length - start,
      ...(etag && { etag }),
      ...(lastModified && { 'last-modified': lastModified }),
      ...(continues && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
      ...options.headers,
    };
    if (start >= bytes.length) {
      response.writeHead(416).end();
      return;
    }
    response.writeHead(continues ? 206 : 200, headers);
    const { breakAfter, stallAfter } = options;
    if (breakAfter !== undefined) {
      response.write(bytes.subarray(start, start + breakAfter), () =>
        setTimeout(() => response.destroy(), 20),
      );
    } else if (stallAfter !== undefined) {
      response.write(bytes.subarray(start, start + stallAfter));
    } else {
      response.end(bytes.subarray(start));
    }
  };
}

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Handler =>
  (_, response) =>
    response.writeHead(code, headers).end('no');

export const redirect =
  (to: string, headers: Readonly<Record<string, string>> = {}): Handler =>
  (_, response) =>
    response.writeHead(302, { location: to, ...headers }).end();
