// Buffers in plain memory, for gpu.js's WebAssembly mode: the same scalar kernels without a GPU, for quick checks in Node.

import { Compiler, type GpuKernel, type Source } from './adapter.ts';
import type { Argument, Buffer, Device, DeviceCounts, Kernel, Layout } from './device.ts';
import { functions } from './functions.ts';

class ArrayBuffer32 implements Buffer {
  readonly layout: Layout;
  readonly data: Float32Array;

  constructor(layout: Layout, data: Float32Array) {
    this.layout = layout;
    this.data = data;
  }
}

const capacity = ({ width, height, channels }: Layout): number => width * height * channels;

class ArrayKernel {
  readonly #kernel: GpuKernel;
  readonly #output: Layout;
  #built = false;

  constructor(kernel: GpuKernel, output: Layout) {
    this.#kernel = kernel;
    this.#output = output;
  }

  run(values: readonly Argument[]): ArrayBuffer32 {
    const given = values.map((value) =>
      typeof value === 'number' ? value : (value as ArrayBuffer32).data,
    );
    if (!this.#built) this.#kernel.build(...given);
    this.#built = true;
    const result = this.#kernel.run(...given) as Float32Array;
    return new ArrayBuffer32(this.#output, result.slice(0, capacity(this.#output)));
  }

  dispose(): void {
    this.#kernel.destroy(false);
  }
}

export class ArrayDevice implements Device {
  readonly mode = 'webasm';
  readonly packs = false;
  readonly maxParts = 1;
  readonly maxSize: number = 2 ** 14;
  readonly maxInputs: number = Infinity;
  readonly #compiler = new Compiler('webasm', functions);
  #readBacks = 0;
  #live = 0;
  #bytes = 0;

  compile(source: Source, output: Layout): Kernel {
    const kernel = this.#compiler.create(source, [], [capacity(output)], output.channels);
    const made = new ArrayKernel(kernel, output);
    return {
      run: (values) => [this.#count(made.run(values))],
      dispose: () => made.dispose(),
    };
  }

  allocate(layout: Layout): Buffer {
    return this.#count(new ArrayBuffer32(layout, new Float32Array(capacity(layout))));
  }

  upload(values: Float32Array, layout: Layout): Buffer {
    const data = new Float32Array(capacity(layout));
    data.set(values);
    return this.#count(new ArrayBuffer32(layout, data));
  }

  async read(buffer: Buffer, length: number): Promise<Float32Array<ArrayBuffer>> {
    this.#readBacks++;
    return Float32Array.from((buffer as ArrayBuffer32).data.subarray(0, length));
  }

  release(buffer: Buffer): void {
    this.#live--;
    this.#bytes -= capacity(buffer.layout) * 4;
  }

  sync(): Promise<void> {
    return Promise.resolve();
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
    return false;
  }

  onLost(): void {
    // Plain memory is never lost.
  }

  dispose(): void {
    this.#compiler.dispose();
  }

  #count(buffer: Buffer): Buffer {
    this.#live++;
    this.#bytes += capacity(buffer.layout) * 4;
    return buffer;
  }
}
