// A backend on worker threads over one shared WebAssembly memory: SIMD kernels, training included.

import { SPEC_VERSION, type Backend, type BackendFactory } from '@convoke/backend-api';

import { backendOn } from './backend.ts';
import { createEngine, type EngineOptions } from './engine.ts';
import { probe } from './probe.ts';

export type { Precision } from './encoder.ts';
export type { CreateWorker } from './worker-source.ts';

export type WorkersOptions = EngineOptions;

/**
 * Starts the workers and resolves with a backend on them. Several may live side by side. Throws a BackendError
 * (`backend-unavailable`, `backend-memory`) that says why it cannot.
 */
export async function createWorkers(options: WorkersOptions = {}): Promise<Backend> {
  return backendOn(await createEngine(options));
}

/** Give it to `register()`, then `await use('workers')`. */
export const workers: BackendFactory<WorkersOptions> = {
  name: 'workers',
  specVersion: SPEC_VERSION,
  priority: 10,
  probe,
  create: createWorkers,
};
