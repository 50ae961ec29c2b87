// A backend on the GPU through gpu.js: values stay in textures, kernels are generated per shape and cached, training included.

import {
  BackendError,
  SPEC_VERSION,
  type Backend,
  type BackendFactory,
} from '@convoke/backend-api';

import { GpujsBackend } from './backend.ts';
import { openDevice, probe, type RequestedMode } from './probe.ts';

export type { RequestedMode } from './probe.ts';

export interface GpujsOptions {
  /**
   * `auto` (the default): WebGL 2, else WebGL 1; never the CPU. `webgpu` only where it is asked for: its kernels compute one element
   * a thread. `webasm` runs the scalar kernels in gpu.js's WebAssembly mode:
   * no GPU, for tests without a browser.
   */
  readonly mode?: RequestedMode | undefined;
  /** Compiled kernels that are kept; what was used longest ago is compiled anew. Default 1024. */
  readonly maxKernels?: number | undefined;
}

/**
 * Opens a context of its own and resolves with a backend on it. Several may live side by side; browsers allow about 16
 * contexts. Throws a BackendError (`backend-unavailable`) that says why it cannot.
 */
export async function createGpujs(options: GpujsOptions = {}): Promise<Backend> {
  const { mode = 'auto', maxKernels = 1024 } = options;
  if (!(Number.isInteger(maxKernels) && maxKernels >= 1)) {
    throw new BackendError(
      'backend-unavailable',
      `gpujs: maxKernels must be a whole number >= 1, got ${maxKernels}`,
    );
  }
  return new GpujsBackend(await openDevice(mode), maxKernels);
}

/** Give it to `register()`, then `await use('gpujs')`. */
export const gpujs: BackendFactory<GpujsOptions> = {
  name: 'gpujs',
  specVersion: SPEC_VERSION,
  // After `workers`; the probe claims more where a GPU draws.
  priority: 5,
  probe,
  create: createGpujs,
};

/**
 * Compiles ahead: runs `step` (a forward pass or a training step on inputs of the shapes to come), which must release what it
 * makes, and resolves with the number of kernels that were compiled. `onProgress` hears of each.
 */
export async function warmup(
  backend: Backend,
  step: () => unknown,
  onProgress: (compiled: number) => void = () => undefined,
): Promise<number> {
  if (!(backend instanceof GpujsBackend)) {
    throw new BackendError(
      'backend-mixed',
      `warmup: expected a 'gpujs' backend, got '${backend.name}', which compiles nothing`,
    );
  }
  let count = 0;
  const stop = backend.onCompile(() => onProgress(++count));
  try {
    await step();
    await backend.sync();
  } finally {
    stop();
  }
  return count;
}
