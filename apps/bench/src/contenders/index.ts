// Who can compete: Convoke's backends and the peers that are found. Each is loaded when it is wanted.

import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';

import { register, use } from '@convoke/core';

import type { Contender } from '../contender.ts';
import type { Tfjs } from './tfjs.ts';
import { isInstalled, load, versionOf } from '../peers.ts';

export interface ContenderOptions {
  /** For those that have more than one. Default: what the machine runs at once, at most 8. */
  readonly threads?: number | undefined;
  /** For backends that have a choice. */
  readonly precision?: 'fast' | 'strict' | undefined;
}

/** Registers the backend; a new one of them takes one more line here. */
const backends: Readonly<Record<string, () => Promise<void>>> = {
  workers: async () => register((await import('@convoke/backend-workers')).workers),
  js: async () => register((await import('@convoke/backend-js')).js),
};

interface Peer {
  /** npm packages that must be installed. */
  readonly packages: readonly string[];
  /** Something else that must be there: null where it is, or what is missing. */
  missing?(): Promise<string | null>;
  create(threads: number): Promise<Contender>;
}

/** TensorFlow.js with the package that holds the backend; one thread, for in Node it starts no others. */
async function tfjsInNode(backend: 'cpu' | 'wasm', packageName: string): Promise<Contender> {
  const { tfjs } = await import('./tfjs.ts');
  const tf = load<Tfjs>('@tensorflow/tfjs');
  load(packageName);
  return tfjs({ tf, backend, version: versionOf(packageName) });
}

const peers: Readonly<Record<string, Peer>> = {
  'tfjs-cpu': {
    packages: ['@tensorflow/tfjs'],
    create: () => tfjsInNode('cpu', '@tensorflow/tfjs'),
  },
  'tfjs-wasm': {
    packages: ['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'],
    create: () => tfjsInNode('wasm', '@tensorflow/tfjs-backend-wasm'),
  },
  'onnxruntime-node': {
    packages: ['onnxruntime-node'],
    create: async (threads) => (await import('./onnxruntime.ts')).onnxruntimeNode(threads),
  },
  'onnxruntime-web': {
    packages: ['onnxruntime-web'],
    create: async () => (await import('./onnxruntime.ts')).onnxruntimeWeb(),
  },
  convnetjs: {
    packages: ['convnetjs'],
    create: async () => (await import('./convnetjs.ts')).convnetjs(),
  },
  torch: {
    packages: [],
    missing: async () =>
      (await import('./torch.ts')).findPython()
        ? null
        : "no python3 here has torch (Debian's package is python3-torch)",
    create: async (threads) => (await import('./torch.ts')).torch(threads),
  },
};

/** Whether the contender can have more threads than one. */
export function takesThreads(name: string): boolean {
  return ['workers', 'onnxruntime-node', 'torch'].includes(name);
}

export const backendNames: readonly string[] = Object.keys(backends);
export const peerNames: readonly string[] = Object.keys(peers);

/** Why the peer cannot compete, or null. */
export async function missing(name: string): Promise<string | null> {
  const { packages, missing: look } = peers[name]!;
  const absent = packages.filter((packageName) => !isInstalled(packageName));
  if (absent.length > 0) return `${absent.join(', ')} not installed; run npm run bench:peers`;
  return look ? look() : null;
}

export function createPeer(name: string, { threads }: ContenderOptions): Promise<Contender> {
  return peers[name]!.create(threads ?? Math.min(8, availableParallelism()));
}

/** Makes the backend current and enters it. Throws a BackendError where it cannot be had. */
export async function createBackend(name: string, options: ContenderOptions): Promise<Contender> {
  await backends[name]!();
  const require = createRequire(import.meta.url);
  const { version } = require(`@convoke/backend-${name}/package.json`) as { version: string };
  const backend = await (takesThreads(name) ? use(name, options) : use(name));
  return (await import('./convoke.ts')).convoke(backend, version);
}
