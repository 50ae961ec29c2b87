// Runs kernels in the test's own thread, without workers: an instance of a build with a memory of its own, and an encoder
// that executes each command at once. CONVOKE_KERNELS names a folder made by `codegen/index.mjs --only … --out FOLDER`, to
// test some kernels while others do not compile.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { buildOf, type Build } from '../src/builds.ts';
import type { Encoder, Precision } from '../src/encoder.ts';
import { kernelNames, packedModule, type KernelName } from '../src/generated/kernels.ts';
import { unpack } from '../src/unpack.ts';

export type { Build } from '../src/builds.ts';

export interface Failure {
  readonly code: number;
  readonly value: number;
}

interface Exports {
  call(kernel: number, a: number, chunk: number): void;
  start(scratch: number): void;
}

const HEADER = 32;
const STATIC_END = 65536;
const SCRATCH = STATIC_END;
const COMMAND = SCRATCH + 262144;
const COMMAND_BYTES = 1048576;
const FIRST_FREE = COMMAND + COMMAND_BYTES;
const folder = process.env['CONVOKE_KERNELS'];

function names(): readonly string[] {
  return folder ? JSON.parse(readFileSync(join(folder, 'names.json'), 'utf8')) : kernelNames;
}

const modules = new Map<Build, WebAssembly.Module>();

/** Unpacked and compiled once for all tests of a file. */
function moduleOf(build: Build): WebAssembly.Module {
  let module = modules.get(build);
  if (!module) {
    const bytes = folder
      ? readFileSync(join(folder, 'kernels.wasm'))
      : unpack(Buffer.from(packedModule, 'base64'));
    module = new WebAssembly.Module(buildOf(bytes, build));
    modules.set(build, module);
  }
  return module;
}

/** One build with its memory. As an Encoder it runs each command on emit, chunks in ascending order unless told otherwise. */
export class KernelHarness implements Encoder {
  readonly threads: number;
  readonly precision: Precision;
  readonly memory: WebAssembly.Memory;
  /** Failures that kernels reported, in order. */
  readonly failures: Failure[] = [];
  /** Names and chunk counts of what was emitted. */
  readonly emitted: { kernel: KernelName; chunks: number }[] = [];
  /** Order in which a command's chunks run. */
  order: 'ascending' | 'descending' = 'ascending';
  readonly #exports: Exports;
  readonly #names: readonly string[];
  #top = FIRST_FREE;

  constructor(
    options: { build?: Build; threads?: number; precision?: Precision; megabytes?: number } = {},
  ) {
    const { build = 'fma', threads = 2, precision = 'fast', megabytes = 64 } = options;
    this.threads = threads;
    this.precision = precision;
    this.memory = new WebAssembly.Memory({ initial: megabytes * 16, maximum: 65536, shared: true });
    const imports = { env: { memory: this.memory, notice: (): void => undefined } };
    this.#exports = new WebAssembly.Instance(moduleOf(build), imports)
      .exports as unknown as Exports;
    this.#exports.start(SCRATCH);
    this.#names = names();
  }

  emit(kernel: KernelName, chunks: number, words: readonly number[]): void {
    const number = this.#names.indexOf(kernel);
    if (number < 0) throw new Error(`no kernel '${kernel}' in this build`);
    if (HEADER + words.length * 4 > COMMAND_BYTES)
      throw new Error(`${kernel}: ${words.length} words`);
    this.emitted.push({ kernel, chunks });
    const header = this.i32(COMMAND, 8).fill(0);
    this.i32(COMMAND + HEADER, words.length).set(words);
    for (let i = 0; i < chunks; i++) {
      const chunk = this.order === 'ascending' ? i : chunks - 1 - i;
      // What a chunk leaves in scratch memory must not matter to the next one.
      this.u8(SCRATCH, 262144).fill(0xff);
      this.#exports.call(number, COMMAND + HEADER, chunk);
    }
    if (header[3] !== 0) this.failures.push({ code: header[3]!, value: header[4]! });
  }

  workspace(bytes: number): number {
    const address = this.allocate(bytes);
    this.u8(address, bytes).fill(0xff);
    return address;
  }

  zeros(bytes: number): number {
    return this.allocate(bytes);
  }

  /** Fresh zeroed memory at a 64-byte boundary, with 64 bytes of NaN before and after it. */
  allocate(bytes: number): number {
    const address = this.#top + 64;
    const end = address + Math.ceil(bytes / 64) * 64;
    this.#top = end + 64;
    if (this.#top > this.memory.buffer.byteLength)
      throw new Error('harness: ask for more megabytes');
    this.u8(address - 64, 64).fill(0xff);
    this.u8(address + bytes, this.#top - address - bytes).fill(0xff);
    return address;
  }

  /** Throws where something wrote beyond the end (or just before the start) of a block of `allocate`. */
  expectUntouchedAround(address: number, bytes: number): void {
    const before = this.u8(address - 64, 64);
    const after = this.u8(address + bytes, Math.ceil(bytes / 64) * 64 - bytes + 64);
    for (const guard of [before, after]) {
      const at = guard.findIndex((byte) => byte !== 0xff);
      if (at >= 0)
        throw new Error(`kernel wrote outside the block at ${address} of ${bytes} bytes`);
    }
  }

  /** Address of a copy of `data`. */
  put(data: Float32Array | Int32Array | Uint8Array): number {
    const address = this.allocate(data.byteLength);
    this.u8(address, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
    return address;
  }

  f32(address: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, address, length);
  }

  i32(address: number, length: number): Int32Array {
    return new Int32Array(this.memory.buffer, address, length);
  }

  u8(address: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, address, length);
  }
}
