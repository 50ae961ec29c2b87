// What a kernel is: plain functions from arrays to arrays, one an op, in tables by family. Kernels know nothing of
// handles, counts or sharing; backend.ts infers the outputs' specs, finds out what may be overwritten and calls them.

import type { Data, Dtype, OpAttributes, OpName, Spec } from '@convoke/backend-api';

export interface Value {
  readonly spec: Spec;
  readonly data: Data;
}

/**
 * Where kernels get their arrays, from memory that was released before if it can. A kernel called without a backend gets
 * `freshArrays` of storage.ts.
 */
export interface Arrays {
  /** An array whose elements are ARBITRARY: for outputs and scratch that the kernel writes completely. */
  take(dtype: 'float32', length: number): Float32Array<ArrayBuffer>;
  take(dtype: 'int32', length: number): Int32Array<ArrayBuffer>;
  take(dtype: Dtype, length: number): Data;
  /** An array of zeros. */
  zeros(dtype: 'float32', length: number): Float32Array<ArrayBuffer>;
  zeros(dtype: 'int32', length: number): Int32Array<ArrayBuffer>;
  zeros(dtype: Dtype, length: number): Data;
  /** Returns a scratch array that the kernel took and nobody sees any more. Optional: the collector frees what isn't given. */
  give(data: Data): void;
}

/**
 * Computes an op: contiguous C-order inputs in, one array per output out, freshly taken from `arrays` or, where `reuse`
 * allows, an input's own. `reuse[i]` is the array of donated input i if nobody else holds its storage, else null. Each array
 * may be returned once. Inputs are never written to otherwise. A kernel takes all arrays it needs before it writes to a
 * reused one, and throws a DataError (which poisons the outputs) before it writes to one at all.
 */
export type Kernel<K extends OpName> = (
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  outputs: readonly Spec[],
  reuse: readonly (Data | null)[],
  arrays: Arrays,
) => readonly Data[];

export type Kernels = { readonly [K in OpName]?: Kernel<K> };
