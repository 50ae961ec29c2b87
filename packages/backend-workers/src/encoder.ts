// What plan functions write into: commands for the workers, and memory that lives as long as the op being planned. What an
// encoder's calls mean stands here; the engine implements it.

import type { KernelName } from './generated/kernels.ts';

export type Precision = 'fast' | 'strict';

export interface Encoder {
  readonly threads: number;
  readonly precision: Precision;
  /** Rows of a tile of products. All give the same results; unset, 6 where multiply-adds are fused, else 4. */
  readonly tileRows?: 4 | 6;
  /**
   * Appends a command: chunks 0 to `chunks` - 1 of `kernel`, after all commands before it. `words` are the kernel's
   * arguments, 32-bit integers; floats by `f32`. With 0 chunks nothing is appended.
   */
  emit(kernel: KernelName, chunks: number, words: readonly number[]): void;
  /** Address of memory until the end of the present op; 64-byte aligned, contents undefined. */
  workspace(bytes: number): number;
  /** Address of zeros, at least so many bytes, that nobody writes to; until the end of the present op. */
  zeros(bytes: number): number;
}

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of a float32, as a word of a command. */
export function f32(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getInt32(0);
}
