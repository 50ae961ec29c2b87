// Which of gpu.js's modes this place offers. A mode that is no GPU is never chosen unless it is asked for by name.

import { BackendError, type ProbeResult } from '@convoke/backend-api';

import { isSupported, type Mode } from './adapter.ts';
import { ArrayDevice } from './arrays.ts';
import type { Device } from './device.ts';
import { WebGpuDevice } from './webgpu.ts';
import { createContext, GlDevice, kindOf, loseContext, rendererOf, type GlMode } from './gl.ts';

/** `webasm` is no GPU: for tests. */
export type RequestedMode = 'auto' | 'webgl2' | 'webgl' | 'webgpu' | 'webasm';

const glModes: readonly GlMode[] = ['webgl2', 'webgl'];

const NO_GL =
  'there is no WebGL with float textures that can be drawn into (the browser or its settings disable it, or this is Node)';

/** Before `workers`, which has 10. */
const GPU_PRIORITY = 20;

interface Found {
  readonly mode: GlMode;
  readonly renderer: string;
}

/** The best mode of WebGL, tried and given back. */
function findGl(): Found | null {
  for (const mode of glModes) {
    const context = createContext(mode);
    if (!context) continue;
    const renderer = rendererOf(context.gl);
    loseContext(context.gl);
    return { mode, renderer };
  }
  return null;
}

/** Whether there is a GPU mode. Creates nothing that lasts. */
export async function probe(): Promise<ProbeResult> {
  const found = findGl();
  if (!found) return { available: false, reason: NO_GL };
  const { mode, renderer } = found;
  const kind = kindOf(renderer);
  return {
    available: true,
    detail: `${mode}, ${renderer}${kind === 'software' ? ': WebGL in software, no GPU' : ''}`,
    // WebGL 1 has the scalar kernels only.
    ...(kind === 'gpu' && mode === 'webgl2' && { priority: GPU_PRIORITY }),
  };
}

function unavailable(message: string): BackendError {
  return new BackendError('backend-unavailable', `gpujs: ${message}`);
}

/** The device of a mode, or of the best GPU mode for `auto`. Throws a BackendError that says what is missing. */
export async function openDevice(requested: RequestedMode): Promise<Device> {
  if (requested === 'webasm') {
    if (!isSupported('webasm')) throw unavailable('there is no WebAssembly here for mode webasm');
    return new ArrayDevice();
  }
  if (requested === 'webgpu') {
    if (!isSupported('webgpu'))
      throw unavailable('there is no WebGPU here (navigator.gpu is missing)');
    return WebGpuDevice.open().catch((error: Error) => {
      throw unavailable(`mode 'webgpu' cannot be had: ${error.message}`);
    });
  }
  if ((requested as string) === 'headlessgl') {
    throw unavailable(
      "mode 'headlessgl' is not offered: it needs the native package gl, which is built from source and which this package leaves out; run in a browser, or take webasm for tests in Node",
    );
  }
  if (requested !== 'auto' && !glModes.includes(requested)) {
    throw unavailable(
      `there is no mode '${String(requested)}'; expected auto, webgl2, webgl, webgpu or webasm`,
    );
  }
  for (const mode of glModes) {
    if (requested !== 'auto' && requested !== mode) continue;
    const context = isSupported(mode as Mode) ? createContext(mode) : null;
    if (context) return new GlDevice(mode, context);
  }
  throw unavailable(
    `mode '${requested}' cannot be had: ${NO_GL}; take another backend, such as workers`,
  );
}
