// What kernels run on: buffers of float32 numbers, made by uploading or by a kernel. `gl.ts` keeps them in textures,
// `arrays.ts` in plain memory for gpu.js's WebAssembly mode, which is no GPU.

import { BackendError } from '@convoke/backend-api';

import type { Source } from './adapter.ts';

/** Columns and rows of a texture, and numbers in each texel: 1 in R32F, 4 in RGBA32F. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 4;
}

export interface Buffer {
  readonly layout: Layout;
}

export type Argument = Buffer | number;

export interface Kernel {
  /** As many buffers as its source has parts. */
  run(values: readonly Argument[]): readonly Buffer[];
  dispose(): void;
}

export interface DeviceCounts {
  /** Textures that buffers hold, and those kept for reuse. */
  readonly textures: number;
  readonly pooledTextures: number;
  readonly textureBytes: number;
  readonly readBacks: number;
}

export interface Device {
  /** What gpu.js really does: `webgl2`, `webgl`, `webasm`. */
  readonly mode: string;
  /** Whether kernels in GLSL ES 3.00 and packed buffers are there. */
  readonly packs: boolean;
  /** Outputs that a kernel in GLSL can have, 8 at most. */
  readonly maxParts: number;
  /** Columns and rows that a texture can have. */
  readonly maxSize: number;
  /** Inputs that a kernel can have. */
  readonly maxInputs: number;
  /** Compiles when it first runs. */
  compile(source: Source, output: Layout): Kernel;
  /** A buffer of zeros or anything: for tensors without elements. */
  allocate(layout: Layout): Buffer;
  upload(values: Float32Array, layout: Layout): Buffer;
  /** The first `length` numbers, as they are when it is called. */
  read(buffer: Buffer, length: number): Promise<Float32Array<ArrayBuffer>>;
  release(buffer: Buffer): void;
  /** Waits for what was called before. */
  sync(): Promise<void>;
  counts(): DeviceCounts;
  /** Whether the browser took the context away. It tells by `onLost` only later, in an event. */
  isLost(): boolean;
  onLost(listener: () => void): void;
  dispose(): void;
}

export function contextLost(): BackendError {
  return new BackendError(
    'backend-lost',
    "gpujs: the browser took the WebGL context away (the GPU was reset, or too many contexts are open), and all values with it; call await use('gpujs') again and upload them anew",
  );
}

/** The layout of `count` texels one after another: rows of a power of two, so that indices split by shifts. */
export function flatLayout(count: number, maxSize: number, channels: 1 | 4 = 1): Layout | null {
  let width = 1;
  while (width * width < count && width < maxSize) width *= 2;
  // gpu.js maps two-dimensional outputs to textures of that very size from two rows on.
  const height = Math.max(2, Math.ceil(count / width));
  return height > maxSize ? null : { width, height, channels };
}
