// The contract every backend keeps. Order: upload, run, read, retain and release take effect in the order they were
// called; `run` returns at once, reading waits; a handle's value never changes. So a plain loop, a pool of workers fed by a
// command stream and a GPU can all stand behind it. A handle whose count has come to 0, by release or donation, throws a
// DisposedError wherever it is used again.

import type { OpAttributes, OpName } from './catalogue/attributes.ts';
import type { BackendError } from './errors.ts';
import type { Program } from './program.ts';
import type { Data, Dtype, Spec } from './spec.ts';

/** Version of this contract. A backend names the one it was written for; the registry refuses another. */
export const SPEC_VERSION = 1;

/**
 * A value on a backend, opaque to everyone else. How it is stored (layout, packing, texture) is the backend's business;
 * reading converts to logical order: NCHW for activations, OIHW for filters.
 */
export interface Handle {
  readonly spec: Spec;
}

export interface Capabilities {
  readonly dtypes: readonly Dtype[];
  /** Largest relative error of one rounding: 2^-24 for IEEE float32, larger for a GPU that computes in less. */
  readonly epsilon: number;
  /** Whether NaN and infinities pass through ops as IEEE 754 says. */
  readonly nonFinite: boolean;
  /** Whether an index out of range (gather, scatterAdd, softmaxCrossEntropy) fails the op; elsewhere it gives NaN or 0. */
  readonly checksIndices: boolean;
  /** The most bytes that live handles may take, or null where unknown. */
  readonly maxBytes: number | null;
  /** Whether `readSync` is there. */
  readonly readSync: boolean;
  readonly threads: number;
  /** Whether equal inputs give equal bits from run to run. */
  readonly deterministic: boolean;
}

export interface MemoryReport {
  /** Handles with a count above zero. */
  readonly handles: number;
  /** Bytes that live handles hold; storage shared by several is counted once. */
  readonly bytes: number;
  /** What else a backend counts: cached kernels, packed weights, read-backs. */
  readonly details?: Readonly<Record<string, number>>;
}

export interface Backend {
  readonly name: string;
  readonly specVersion: number;
  readonly capabilities: Capabilities;
  /** What distinguishes this instance for a reader: `2 threads, fast`, `webgl2`. */
  readonly mode?: string;

  /** Copies `data` (a snapshot, in C order) to the backend. The handle's count is 1. */
  upload(spec: Spec, data: Data): Handle;

  /**
   * Runs one op of the catalogue. Inputs are borrowed; outputs are the caller's, with count 1. `donate` lists positions of
   * inputs whose count the call consumes: their memory may be reused if nobody else holds the storage. What can be known is
   * thrown here, before any donation: support, shapes, memory with workspace. An op that fails later poisons its outputs.
   */
  run<K extends OpName>(
    op: K,
    inputs: readonly Handle[],
    attributes: OpAttributes[K],
    donate?: readonly number[],
  ): readonly Handle[];

  /** Whether `run` takes this op with these inputs. Required ops always. */
  supports<K extends OpName>(op: K, inputs: readonly Spec[], attributes: OpAttributes[K]): boolean;

  /** An own, unshared copy of the value as it was when `read` was called. Rejects, every time, where the value is poisoned. */
  read(handle: Handle): Promise<Data>;

  /** Only where the value can honestly be had without waiting for an event. */
  readSync?(handle: Handle): Data;

  retain(handle: Handle): void;
  release(handle: Handle): void;

  /** Waits for all that was called before; rejects with the first failure that nobody has read, once: it is then reported. */
  sync(): Promise<void>;

  memory(): MemoryReport;

  /** Calls `listener` once if the device is lost; returns how to stop listening. */
  onLost(listener: (error: BackendError) => void): () => void;

  /** Frees everything. Later calls throw a DisposedError. */
  dispose(): void;

  /** Prepares a recorded program to run as a whole. */
  compile?(program: Program): CompiledProgram;

  /**
   * Only on a recorder: takes a value of another backend into the program by reference and returns the symbolic handle
   * that stands for it. `owner` stays the owner.
   */
  capture?(owner: Backend, handle: Handle): Handle;

  /**
   * Only on a recorder: the program gives the value of another backend that `handle` stands for a new value, `symbol`, whose
   * count stays the caller's. From now on `capture` gives the new one.
   */
  update?(owner: Backend, handle: Handle, symbol: Handle): void;
}

export interface CompiledProgram {
  /** Gives what `replay` gives. */
  run(inputs: readonly Handle[]): readonly Handle[];
  dispose(): void;
}

export type ProbeResult =
  | {
      readonly available: true;
      readonly detail?: string;
      /** Takes the place of the factory's where only a look tells what the device is worth: a GPU, or a program that acts as one. */
      readonly priority?: number;
    }
  | { readonly available: false; readonly reason: string };

/** How a backend is found and made. Registered explicitly: importing a package registers nothing. */
export interface BackendFactory<Options = unknown> {
  readonly name: string;
  readonly specVersion: number;
  /** `best()` tries higher priorities first and never picks a negative one, nor probes it. */
  readonly priority: number;
  /** Whether this device can work here, and if not, why; creates nothing that lasts. */
  probe(): Promise<ProbeResult>;
  create(options?: Options): Promise<Backend>;
}
