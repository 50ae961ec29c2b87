// How a worker comes to be, in Node and in browsers, and one face for both kinds.

import type { FromWorker } from './protocol.ts';
import { nodeThreads } from './platform.ts';

/** What the engine uses of a Web Worker. */
interface WebWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(
    type: 'message' | 'messageerror' | 'error',
    listener: (event: unknown) => void,
  ): void;
  terminate(): void;
}

/** What the engine uses of a worker of node:worker_threads. */
interface NodeWorker {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  on(
    event: 'message' | 'messageerror' | 'error' | 'exit',
    listener: (value: unknown) => void,
  ): unknown;
  ref(): void;
  unref(): void;
  terminate(): unknown;
}

/** A Web Worker, or a worker of node:worker_threads. */
type EngineWorker = WebWorker | NodeWorker;

/**
 * Makes a worker that runs the package's worker module (`url`), as an ES module. For hosts where workers are made in
 * another way, or where a bundler has moved the module.
 */
export type CreateWorker = (url: URL) => EngineWorker;

export interface WorkerPort {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: FromWorker) => void): void;
  /** For an uncaught error, a worker module that does not load, `terminate` of the worker itself, or (Node) any end of it. */
  onDeath(listener: (reason: string) => void): void;
  /** Whether the worker keeps the process alive; it does at first. Only Node ends by itself. */
  hold(): void;
  release(): void;
  terminate(): void;
}

// Not written where it is used: bundlers take `new URL(…, import.meta.url)` for a file to bring along, and from sources the
// worker is another file than in the published package.
const here = import.meta.url;

function workerUrl(): URL {
  return new URL(new URL(here).pathname.endsWith('.ts') ? './worker.ts' : './worker.js', here);
}

/** A page may not start a worker from another origin (a CDN), but a worker of its own may import from there. */
function isForeign(url: URL): boolean {
  return /^https?:$/.test(url.protocol) && url.origin !== globalThis.location?.origin;
}

/** Address of a module that imports the worker's. */
let importer: string | undefined;

function browserWorker(url: URL): Worker {
  if (isForeign(url)) {
    const source = `import ${JSON.stringify(url.href)};`;
    importer ??= URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    return new Worker(importer, { type: 'module' });
  }
  if (url.pathname.endsWith('.ts')) return new Worker(url, { type: 'module' });
  return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
}

function defaultWorker(url: URL): EngineWorker {
  const threads = nodeThreads();
  // The worker needs none of the flags that the program was started with, and some (--input-type) would stop it.
  return threads ? new threads.Worker(url, { execArgv: [], name: 'convoke' }) : browserWorker(url);
}

export function startWorker(create: CreateWorker = defaultWorker): WorkerPort {
  const worker = create(workerUrl());
  return 'addEventListener' in worker ? webPort(worker) : nodePort(worker);
}

function webPort(worker: WebWorker): WorkerPort {
  const terminate = worker.terminate.bind(worker);
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) =>
      worker.addEventListener('message', (event) =>
        listener((event as MessageEvent<FromWorker>).data),
      ),
    onDeath: (listener) => {
      worker.addEventListener('error', (event) =>
        listener((event as ErrorEvent).message || 'its module could not be loaded'),
      );
      worker.addEventListener('messageerror', () => listener('a message could not be read'));
      // No event tells that the page itself ended a worker, and Chromium lets a busy one live on for two seconds.
      worker.terminate = () => {
        terminate();
        listener('the page terminated it');
      };
    },
    hold: () => undefined,
    release: () => undefined,
    terminate,
  };
}

function nodePort(worker: NodeWorker): WorkerPort {
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => void worker.on('message', (value) => listener(value as FromWorker)),
    onDeath: (listener) => {
      worker.on('error', (error) =>
        listener(error instanceof Error ? error.message : String(error)),
      );
      worker.on('messageerror', () => listener('a message could not be read'));
      worker.on('exit', (code) => listener(`it ended with exit code ${String(code)}`));
    },
    hold: () => worker.ref(),
    release: () => worker.unref(),
    terminate: () => void worker.terminate(),
  };
}
