// What this place offers: WebAssembly with SIMD, workers, shared memory; and, where the backend cannot work, why.

import type { ProbeResult } from '@convoke/backend-api';

import { nodeThreads } from './platform.ts';
import { availableThreads } from './threads.ts';

/** A module of one function () -> v128 with this body: `validate` says whether its instructions are there. */
function moduleReturning(...body: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0];
  const code = [0, ...body, 11];
  return Uint8Array.from([...header, 10, code.length + 2, 1, code.length, ...code]);
}

const splat = [65, 0, 253, 15];
const simdModule = moduleReturning(...splat, 253, 98);
const relaxedModule = moduleReturning(...splat, ...splat, ...splat, 253, 133, 2);

export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(relaxedModule);
}

/**
 * Rows of a tile of products that this engine keeps in registers. V8 before 13.6 spills 6 rows (measured: half the speed);
 * of browsers' engines the present versions are assumed.
 */
export function preferredTileRows(): 4 | 6 {
  const version = typeof process === 'undefined' ? undefined : process.versions?.v8;
  if (!hasRelaxedSimd()) return 4;
  if (version === undefined) return 6;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 13 || (major === 13 && minor >= 6) ? 6 : 4;
}

/** Why memory cannot be shared between threads here, or null where it can. */
export function whyNotShared(): string | null {
  if (globalThis.crossOriginIsolated === false) {
    return 'this page is not cross-origin isolated (serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)';
  }
  return typeof SharedArrayBuffer === 'undefined' ? 'there is no SharedArrayBuffer here' : null;
}

/** Why the backend cannot work here, or null. */
export function whyUnavailable(): string | null {
  if (typeof WebAssembly === 'undefined') {
    return "there is no WebAssembly here (Node's --jitless and some browsers' lockdown modes remove it)";
  }
  if (!WebAssembly.validate(simdModule)) {
    return 'WebAssembly here has no SIMD (needs Chrome 91, Firefox 89, Safari 16.4 or newer, and a processor with SSE4.1 or NEON)';
  }
  try {
    void new WebAssembly.Module(simdModule);
  } catch (error) {
    return `WebAssembly may not be compiled here: the content security policy must allow 'wasm-unsafe-eval' in script-src (${error instanceof Error ? error.message : String(error)})`;
  }
  return whyNoWorkers();
}

function whyNoWorkers(): string | null {
  if (nodeThreads()) {
    const { permission } = process as { permission?: { has(scope: string): boolean } };
    return permission && !permission.has('worker')
      ? "Node's permission model forbids worker threads; start node with --allow-worker"
      : null;
  }
  return typeof Worker === 'undefined' ? 'there are no workers here' : null;
}

/** Whether the backend can work here. Starts nothing. */
export function probe(): Promise<ProbeResult> {
  const reason = whyUnavailable();
  if (reason !== null) return Promise.resolve({ available: false, reason });
  const notShared = whyNotShared();
  const simd = hasRelaxedSimd() ? 'relaxed SIMD' : 'SIMD';
  return Promise.resolve({
    available: true,
    detail:
      notShared === null
        ? `${availableThreads()} threads, ${simd}, shared memory`
        : `1 thread, ${simd}, private memory: ${notShared}`,
  });
}
