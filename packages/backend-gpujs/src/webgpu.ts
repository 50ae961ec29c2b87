// Buffers in gpu.js's WebGPU mode, where every call resolves later: calls are queued and take effect in the order they were made.
// The scalar kernels only: gpu.js's kernels cannot read results of four numbers an element there.

import { BackendError, DisposedError } from '@convoke/backend-api';

import { Compiler, type GpuBuffer, type GpuKernel, type Source } from './adapter.ts';
import {
  contextLost,
  type Argument,
  type Buffer,
  type Device,
  type DeviceCounts,
  type Kernel,
  type Layout,
} from './device.ts';
import { functions } from './functions.ts';

class QueuedBuffer implements Buffer {
  readonly layout: Layout;
  /** What gpu.js made, or why it could not; null until its turn has come. */
  made: GpuBuffer | Error | null = null;

  constructor(layout: Layout) {
    this.layout = layout;
  }

  /** Throws what hindered it. */
  get value(): GpuBuffer {
    if (this.made instanceof Error) throw this.made;
    return this.made!;
  }
}

const capacity = ({ width, height, channels }: Layout): number => width * height * channels;

const COPY: Source = { arguments: ['x'], script: 'return x[this.thread.x];' };

export class WebGpuDevice implements Device {
  readonly mode = 'webgpu';
  readonly packs = false;
  readonly maxParts = 1;
  readonly maxSize: number;
  /** WebGPU promises 8 buffers a shader, one of which is the output; gpu.js asks for no more. */
  readonly maxInputs = 7;
  readonly #context: GpuBuffer['context'];
  readonly #compiler: Compiler;
  /** By size, they bring values in. */
  readonly #uploads = new Map<number, GpuKernel>();
  #turn: Promise<unknown> = Promise.resolve();
  #live = 0;
  #bytes = 0;
  #readBacks = 0;
  #lost: (() => void) | null = null;
  #disposed = false;

  /** Rejects with gpu.js's error where there is no adapter. */
  static async open(): Promise<WebGpuDevice> {
    const compiler = new Compiler('webgpu', functions);
    const first = (await compiler.create(COPY, [], [1], 1).run(Float32Array.of(1))) as GpuBuffer;
    const { context } = first;
    first.delete();
    return new WebGpuDevice(compiler, context);
  }

  private constructor(compiler: Compiler, context: GpuBuffer['context']) {
    this.#compiler = compiler;
    this.#context = context;
    // As many numbers as one buffer may hold, in the square that layouts are made for.
    const numbers = context.device.limits.maxStorageBufferBindingSize / 4;
    this.maxSize = 2 ** Math.floor(Math.log2(numbers) / 2);
    void context.device.lost.then(() => {
      if (!this.#disposed) this.#lost?.();
    });
  }

  compile(source: Source, output: Layout): Kernel {
    let kernel: GpuKernel | null = null;
    return {
      run: (values: readonly Argument[]) => [
        this.#make(output, () => {
          kernel ??= this.#compiler.create(source, [], [capacity(output)], output.channels);
          return kernel.run(
            ...values.map((value) =>
              typeof value === 'number' ? value : (value as QueuedBuffer).value,
            ),
          ) as Promise<GpuBuffer>;
        }),
      ],
      dispose: () => void this.#queue(async () => kernel?.destroy(false)),
    };
  }

  allocate(layout: Layout): Buffer {
    return this.upload(new Float32Array(capacity(layout)), layout);
  }

  upload(values: Float32Array, layout: Layout): Buffer {
    const size = capacity(layout);
    const data = new Float32Array(size);
    data.set(values);
    return this.#make(layout, () => {
      let kernel = this.#uploads.get(size);
      if (!kernel) this.#uploads.set(size, (kernel = this.#compiler.create(COPY, [], [size], 1)));
      return kernel.run(data) as Promise<GpuBuffer>;
    });
  }

  async read(buffer: Buffer, length: number): Promise<Float32Array<ArrayBuffer>> {
    this.#readBacks++;
    // What is read is settled in turn; that it arrives, later calls need not wait for.
    const reading = await this.#queue(async () => ({
      values: (buffer as QueuedBuffer).value.toArray(),
    }));
    const values = await reading.values.catch((error: Error) => {
      this.#expectLive();
      throw new BackendError('backend-failed', `gpujs: ${error.message}`, { cause: error });
    });
    this.#expectLive();
    return Float32Array.from(values.subarray(0, length));
  }

  release(buffer: Buffer): void {
    this.#live--;
    this.#bytes -= capacity(buffer.layout) * 4;
    void this.#queue(async () => {
      const { made } = buffer as QueuedBuffer;
      if (made && !(made instanceof Error)) made.delete();
    });
  }

  async sync(): Promise<void> {
    await this.#turn;
    await this.#context.device.queue.onSubmittedWorkDone();
    this.#expectLive();
  }

  counts(): DeviceCounts {
    return {
      textures: this.#live,
      pooledTextures: 0,
      textureBytes: this.#bytes,
      readBacks: this.#readBacks,
    };
  }

  isLost(): boolean {
    return this.#context.isLost;
  }

  onLost(listener: () => void): void {
    this.#lost = listener;
  }

  dispose(): void {
    this.#disposed = true;
    void this.#queue(async () => this.#compiler.dispose());
  }

  /** Does the work when all that was queued before is done. */
  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** A buffer whose value comes in its turn; what fails fails again wherever it is read. */
  #make(layout: Layout, work: () => Promise<GpuBuffer>): QueuedBuffer {
    const buffer = new QueuedBuffer(layout);
    this.#live++;
    this.#bytes += capacity(layout) * 4;
    void this.#queue(async () => {
      try {
        buffer.made = await work();
      } catch (error) {
        buffer.made = this.isLost()
          ? contextLost()
          : new BackendError('backend-failed', `gpujs: ${(error as Error).message}`, {
              cause: error,
            });
      }
    });
    return buffer;
  }

  #expectLive(): void {
    if (this.#disposed)
      throw new DisposedError('gpujs: the backend was disposed of while this was waited for');
    if (this.isLost()) throw contextLost();
  }
}
