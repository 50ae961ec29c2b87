// Buffers in textures of a WebGL context that is ours alone. gpu.js compiles kernels and draws; which texture a kernel draws
// into, when it is reused or deleted, and how it is read without blocking, is decided here.

import { BackendError, DisposedError } from '@convoke/backend-api';

import { Compiler, type GpuKernel, type GpuTexture, type Source } from './adapter.ts';
import {
  contextLost,
  type Buffer,
  type Device,
  type DeviceCounts,
  type Kernel,
  type Layout,
} from './device.ts';
import { functions } from './functions.ts';

/** Textures that no buffer holds are kept up to this many bytes: making one costs more than drawing a small one. */
const POOL_BYTES = 256 * 2 ** 20;

class TextureBuffer implements Buffer, GpuTexture {
  readonly layout: Layout;
  readonly texture: WebGLTexture;
  readonly size: Int32Array;
  readonly dimensions: Int32Array;
  readonly output: readonly number[];
  readonly type: 'ArrayTexture(1)' | 'ArrayTexture(4)';
  readonly context: WebGL2RenderingContext;

  constructor(layout: Layout, texture: WebGLTexture, context: WebGL2RenderingContext) {
    const { width, height, channels } = layout;
    this.layout = layout;
    this.texture = texture;
    this.size = Int32Array.of(width, height);
    // To gpu.js a vector: kernels index it flat.
    this.dimensions = Int32Array.of(width * height, 1, 1);
    this.output = [width * height];
    this.type = channels === 1 ? 'ArrayTexture(1)' : 'ArrayTexture(4)';
    this.context = context;
  }

  // gpu.js would copy or delete textures at its own discretion; these belong to the device.
  beforeMutate(): boolean {
    return false;
  }

  clone(): GpuTexture {
    return this;
  }

  delete(): void {
    // The device does.
  }
}

const keyOf = ({ width, height, channels }: Layout): string => `${width} ${height} ${channels}`;

/** Another turn of the event loop, without the 4 ms that nested timeouts cost. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}

/** How long waiting looks as often as it can: what takes longer is looked at once a millisecond, which leaves a core to others. */
const EAGER_MS = 1;

/** As nobody sees the page, browsers would stretch this to a second. */
async function doze(): Promise<void> {
  await nextTurn();
  if (typeof document !== 'undefined' && document.hidden) return;
  // From a message's turn on it is no nested timeout.
  await new Promise((resolve) => setTimeout(resolve, 1));
}

export interface GlContext {
  readonly gl: WebGL2RenderingContext;
  readonly canvas: EventTarget;
}

export type GlMode = 'webgl2' | 'webgl';

/** A context without a visible canvas, or null. Its float textures can be drawn into. */
export function createContext(mode: GlMode): GlContext | null {
  // Chromium's switches that disable WebGL mean the document's canvases only: those have the say where there are any.
  const canvas =
    typeof document === 'undefined'
      ? typeof OffscreenCanvas === 'undefined'
        ? null
        : new OffscreenCanvas(1, 1)
      : document.createElement('canvas');
  const options = { alpha: false, depth: false, antialias: false };
  const gl = canvas?.getContext(mode, options) as WebGL2RenderingContext | null | undefined;
  if (!gl) return null;
  const drawable =
    mode === 'webgl2'
      ? gl.getExtension('EXT_color_buffer_float')
      : gl.getExtension('OES_texture_float') && gl.getExtension('WEBGL_color_buffer_float');
  return drawable ? { gl, canvas: canvas as EventTarget } : null;
}

/** Gives the context back at once; browsers allow few. */
export function loseContext(gl: WebGL2RenderingContext): void {
  gl.getExtension('WEBGL_lose_context')?.loseContext();
}

/** What draws: `ANGLE (NVIDIA, …)`, or SwiftShader or llvmpipe, which are programs. */
export function rendererOf(gl: WebGL2RenderingContext): string {
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

/** Some browsers do not tell. */
export function kindOf(renderer: string): 'gpu' | 'software' | 'unknown' {
  if (/swiftshader|llvmpipe|softpipe|basic render|software/i.test(renderer)) return 'software';
  return /^(webkit webgl|mozilla|null|)$/i.test(renderer) ? 'unknown' : 'gpu';
}

export class GlDevice implements Device {
  readonly mode: GlMode;
  readonly packs: boolean;
  readonly maxParts: number;
  readonly maxSize: number;
  readonly maxInputs: number = Infinity;
  readonly #gl: WebGL2RenderingContext;
  readonly #compiler: Compiler;
  readonly #framebuffer: WebGLFramebuffer;
  readonly #pool = new Map<string, WebGLTexture[]>();
  #pooledBytes = 0;
  #pooled = 0;
  #live = 0;
  #bytes = 0;
  #readBacks = 0;
  #disposed = false;
  #tight: boolean | null = null;
  #lost: (() => void) | null = null;

  constructor(mode: GlMode, { gl, canvas }: GlContext) {
    this.mode = mode;
    this.packs = mode === 'webgl2';
    this.maxParts = this.packs ? Math.min(8, gl.getParameter(gl.MAX_DRAW_BUFFERS) as number) : 1;
    this.#gl = gl;
    this.maxSize = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    this.#compiler = new Compiler(mode, functions, gl);
    this.#framebuffer = gl.createFramebuffer();
    canvas.addEventListener('webglcontextlost', () => {
      if (!this.#disposed) this.#lost?.();
    });
  }

  compile(source: Source, output: Layout): Kernel {
    const { width, height, channels } = output;
    const others = (source.parts ?? 1) - 1;
    let kernel: GpuKernel | null = null;
    return {
      run: (given) => {
        const values = given as readonly (TextureBuffer | number)[];
        const target = this.#take(output);
        const mapped = Array.from({ length: others }, () => this.#take(output));
        const fresh = kernel === null;
        kernel ??= this.#compiler.create(source, values, [width, height], channels);
        kernel.texture = target;
        if (others > 0) kernel.mappedTextures = mapped;
        if (fresh) {
          kernel.drawBuffersMap = [target, ...mapped].map((_, i) => this.#gl.COLOR_ATTACHMENT0 + i);
          kernel.build(...values);
          if (kernel.fallbackRequested || kernel.constructor.mode === 'cpu') {
            throw new BackendError(
              'backend-failed',
              'gpujs: gpu.js fell back to the CPU; this backend computes on the GPU only',
            );
          }
        } else {
          // Makes it draw into the textures that it was given; the names are gpu.js's.
          // oxlint-disable-next-line no-underscore-dangle
          kernel._textureSwitched = true;
          // oxlint-disable-next-line no-underscore-dangle
          if (others > 0) kernel._mappedTextureSwitched = mapped.map(() => true);
        }
        kernel.run(...values);
        kernel.texture = null;
        kernel.mappedTextures = null;
        return [target, ...mapped];
      },
      dispose: () => kernel?.destroy(false),
    };
  }

  allocate(layout: Layout): Buffer {
    return this.#take(layout);
  }

  upload(values: Float32Array, layout: Layout): Buffer {
    const gl = this.#gl;
    const buffer = this.#take(layout);
    const { width, channels } = layout;
    const perRow = width * channels;
    const rows = Math.floor(values.length / perRow);
    this.#bind(buffer.texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 4);
    const format = this.packs && channels === 1 ? gl.RED : gl.RGBA;
    const write = (row: number, columns: number, count: number, from: number): void => {
      let part: Float32Array = values.subarray(from, from + columns * count * channels);
      if (format === gl.RGBA && channels === 1) part = spread(part);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, row, columns, count, format, gl.FLOAT, part);
    };
    if (rows > 0) write(0, width, rows, 0);
    const rest = (values.length - rows * perRow) / channels;
    if (rest > 0) write(rows, rest, 1, rows * perRow);
    return buffer;
  }

  async read(buffer: Buffer, length: number): Promise<Float32Array<ArrayBuffer>> {
    const gl = this.#gl;
    const { width } = buffer.layout;
    this.#readBacks++;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#framebuffer);
    const { texture } = buffer as TextureBuffer;
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    this.#tight ??=
      this.packs &&
      gl.getParameter(gl.IMPLEMENTATION_COLOR_READ_FORMAT) === gl.RED &&
      gl.getParameter(gl.IMPLEMENTATION_COLOR_READ_TYPE) === gl.FLOAT;
    const [format, step] = this.#tight ? [gl.RED, 1] : [gl.RGBA, 4];
    const rows = Math.max(1, Math.ceil(length / width));
    const pixels = new Float32Array(rows * width * step);
    if (this.packs) {
      const pixelBuffer = gl.createBuffer();
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, pixelBuffer);
      gl.bufferData(gl.PIXEL_PACK_BUFFER, pixels.byteLength, gl.STREAM_READ);
      gl.readPixels(0, 0, width, rows, format, gl.FLOAT, 0);
      gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
      try {
        await this.sync();
        gl.bindBuffer(gl.PIXEL_PACK_BUFFER, pixelBuffer);
        gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, pixels);
        gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
      } finally {
        gl.deleteBuffer(pixelBuffer);
      }
    } else {
      gl.readPixels(0, 0, width, rows, format, gl.FLOAT, pixels);
    }
    if (step === 1) return pixels.slice(0, length);
    return Float32Array.from({ length }, (_, i) => pixels[i * 4]!);
  }

  release(buffer: Buffer): void {
    const { layout, texture } = buffer as TextureBuffer;
    const bytes = this.#bytesOf(layout);
    this.#live--;
    this.#bytes -= bytes;
    if (this.#disposed) return;
    if (this.#pooledBytes + bytes > POOL_BYTES) {
      this.#gl.deleteTexture(texture);
      return;
    }
    const key = keyOf(layout);
    const waiting = this.#pool.get(key);
    if (waiting) waiting.push(texture);
    else this.#pool.set(key, [texture]);
    this.#pooledBytes += bytes;
    this.#pooled++;
  }

  async sync(): Promise<void> {
    const gl = this.#gl;
    if (!this.packs) {
      gl.finish();
      return;
    }
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    const eagerUntil = performance.now() + EAGER_MS;
    for (;;) {
      if (this.#disposed) {
        throw new DisposedError('gpujs: the backend was disposed of while this was waited for');
      }
      if (!fence || gl.isContextLost()) throw contextLost();
      const status = gl.clientWaitSync(fence, 0, 0);
      if (status === gl.ALREADY_SIGNALED || status === gl.CONDITION_SATISFIED) break;
      if (status === gl.WAIT_FAILED) {
        throw new BackendError('backend-failed', 'gpujs: WebGL failed while a result was awaited');
      }
      await (performance.now() < eagerUntil ? nextTurn() : doze());
    }
    gl.deleteSync(fence);
  }

  counts(): DeviceCounts {
    return {
      textures: this.#live,
      pooledTextures: this.#pooled,
      textureBytes: this.#bytes + this.#pooledBytes,
      readBacks: this.#readBacks,
    };
  }

  isLost(): boolean {
    return this.#gl.isContextLost();
  }

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  dispose(): void {
    this.#disposed = true;
    for (const textures of this.#pool.values()) {
      for (const texture of textures) this.#gl.deleteTexture(texture);
    }
    this.#pool.clear();
    this.#compiler.dispose();
    loseContext(this.#gl);
  }

  #bytesOf({ width, height, channels }: Layout): number {
    return width * height * 4 * (this.packs ? channels : 4);
  }

  #take(layout: Layout): TextureBuffer {
    const gl = this.#gl;
    const bytes = this.#bytesOf(layout);
    let texture = this.#pool.get(keyOf(layout))?.pop();
    if (texture) {
      this.#pooledBytes -= bytes;
      this.#pooled--;
    } else {
      texture = gl.createTexture();
      this.#bind(texture);
      for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) {
        gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
      }
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
      }
      const { width, height, channels } = layout;
      if (this.packs) {
        gl.texStorage2D(gl.TEXTURE_2D, 1, channels === 1 ? gl.R32F : gl.RGBA32F, width, height);
      } else {
        gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.FLOAT, null);
      }
    }
    this.#live++;
    this.#bytes += bytes;
    return new TextureBuffer(layout, texture, gl);
  }

  /** On a unit that gpu.js's kernels do not use for arguments. */
  #bind(texture: WebGLTexture): void {
    this.#gl.activeTexture(this.#gl.TEXTURE15);
    this.#gl.bindTexture(this.#gl.TEXTURE_2D, texture);
  }
}

/** Each number in a texel of its own, for contexts without textures of one channel. */
function spread(values: Float32Array): Float32Array {
  const texels = new Float32Array(values.length * 4);
  for (let i = 0; i < values.length; i++) texels[i * 4] = values[i]!;
  return texels;
}
