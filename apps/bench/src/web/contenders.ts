// Who can compete in a page: Convoke's backends, and TensorFlow.js where the server has it.

import type { ProbeResult } from '@convoke/backend-api';
import { register, use, type Backend, type BackendFactory } from '@convoke/core';

import type { Contender } from '../contender.ts';
import { convoke } from '../contenders/convoke.ts';
import { tfjs, type Tfjs } from '../contenders/tfjs.ts';
import { pageBackends, type Settings } from './settings.ts';

const factories: Readonly<Record<string, () => Promise<BackendFactory>>> = {
  workers: async () => (await import('@convoke/backend-workers')).workers,
  gpujs: async () => (await import('@convoke/backend-gpujs')).gpujs,
  js: async () => (await import('@convoke/backend-js')).js,
};

type TfjsBackend = 'webgl' | 'wasm' | 'cpu';

/** TensorFlow.js's backends, and the scripts each needs from the server, in order. */
const peerScripts: Readonly<Record<TfjsBackend, readonly string[]>> = {
  webgl: ['tf.js'],
  wasm: ['tf.js', 'tf-backend-wasm.js'],
  cpu: ['tf.js'],
};

export interface Candidate {
  readonly name: string;
  readonly available: boolean;
  /** What can be said of it, or why it is not there. */
  readonly detail: string;
}

/** What the server tells of the libraries it has: versions by the names of scripts. */
type PeerIndex = Readonly<Record<string, string>>;

let index: Promise<PeerIndex> | null = null;

/** Empty where the page is served without them. */
function peerIndex(): Promise<PeerIndex> {
  index ??= fetch('./peers/index.json')
    .then((response) => (response.ok ? (response.json() as Promise<PeerIndex>) : {}))
    .catch(() => ({}));
  return index;
}

const found = new Map<string, BackendFactory>();

async function factoryOf(name: string): Promise<BackendFactory> {
  const known = found.get(name);
  if (known) return known;
  const factory = await factories[name]!();
  found.set(name, factory);
  register(factory, { replace: true });
  return factory;
}

/** Convoke's backends, each probed here. */
export async function backendCandidates(): Promise<Candidate[]> {
  return Promise.all(
    pageBackends.map(async (name) => {
      const probe: ProbeResult = await factoryOf(name)
        .then((factory) => factory.probe())
        .catch((error: Error) => ({ available: false, reason: error.message }));
      return probe.available
        ? { name, available: true, detail: probe.detail ?? '' }
        : { name, available: false, detail: probe.reason };
    }),
  );
}

export async function peerCandidates(): Promise<Candidate[]> {
  const versions = await peerIndex();
  return (Object.keys(peerScripts) as TfjsBackend[]).map((backend) => {
    const name = `tfjs-${backend}`;
    const missing = peerScripts[backend].find((script) => !(script in versions));
    if (missing !== undefined)
      return { name, available: false, detail: 'not installed: npm run bench:peers' };
    return { name, available: true, detail: versions['tf.js']! };
  });
}

/** Starts a backend by its name and makes it current. */
export async function startBackend(name: string, settings: Settings): Promise<Backend> {
  await factoryOf(name);
  const { threads, precision } = settings;
  return name === 'workers' ? use(name, { threads, precision }) : use(name);
}

declare global {
  // TensorFlow.js's scripts leave it there.
  var tf:
    | (Tfjs & {
        wasm?: { setWasmPaths(prefix: string): void; setThreadsCount(count: number): void };
      })
    | undefined;
}

const loading = new Map<string, Promise<void>>();

function loadScript(name: string): Promise<void> {
  let loaded = loading.get(name);
  if (!loaded) {
    loaded = new Promise((done, reject) => {
      const script = document.createElement('script');
      script.src = `./peers/${name}`;
      script.addEventListener('load', () => done());
      script.addEventListener('error', () => reject(new Error(`${script.src} did not load`)));
      document.head.append(script);
    });
    loading.set(name, loaded);
  }
  return loaded;
}

async function startPeer(name: string, settings: Settings): Promise<Contender> {
  const backend = name.slice('tfjs-'.length) as TfjsBackend;
  for (const script of peerScripts[backend]) await loadScript(script);
  const { tf } = globalThis;
  if (!tf) throw new Error('tf.js ran without leaving TensorFlow.js behind');
  if (backend === 'wasm') {
    tf.wasm?.setWasmPaths(new URL('./peers/', document.baseURI).href);
    // Once it has started, it keeps the number it started with.
    tf.wasm?.setThreadsCount(settings.threads);
  }
  const version = (await peerIndex())['tf.js']!;
  const threads = backend === 'wasm' && crossOriginIsolated ? settings.threads : 1;
  return tfjs({ tf, backend, version, threads });
}

/** All that the settings ask for; those that do not start are told of, and left out. */
export async function startContenders(
  settings: Settings,
  say: (text: string) => void,
): Promise<Contender[]> {
  const contenders: Contender[] = [];
  const enter = async (name: string, start: () => Promise<Contender>): Promise<void> => {
    try {
      contenders.push(await start());
    } catch (error) {
      say(`without ${name}: ${(error as Error).message}`);
    }
  };
  for (const name of settings.backends)
    await enter(name, async () => convoke(await startBackend(name, settings), VERSION));
  for (const name of settings.peers) await enter(name, () => startPeer(name, settings));
  return contenders;
}

/** Of Convoke's packages, put in by the build. */
declare const VERSION: string;
