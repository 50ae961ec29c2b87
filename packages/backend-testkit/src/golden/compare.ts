// How far a result is from the reference, and how far it may be.

import { formatShape, type Backend } from '@convoke/backend-api';

import type { GoldenCase, GoldenTensor, Precision, TensorResult } from './case.ts';

/** One rounding of IEEE float32; a backend that rounds more coarsely computes like a GPU. */
const FLOAT32_EPSILON = 2 ** -24;

/** The share of max(1, max|reference|) by which any tensor may be off, whatever PyTorch's own error. */
export function allowance(backend: Backend, precision: Precision): number {
  if (backend.capabilities.epsilon > FLOAT32_EPSILON || backend.name === 'gpujs') return 5e-5;
  // The plain backend has no Winograd transforms: its 'fast' is its 'strict'.
  return precision === 'fast' && backend.name !== 'js' ? 1e-5 : 1e-6;
}

export function valueOf(entry: GoldenTensor['data'][number]): number {
  if (typeof entry === 'number') return entry;
  if (entry === 'nan') return NaN;
  return entry === 'inf' ? Infinity : -Infinity;
}

export function valuesOf({ data }: GoldenTensor): Float64Array {
  return Float64Array.from(data, valueOf);
}

/** Zero for equal values, NaN and the infinities included; infinite where one is finite and the other is not. */
function deviation(actual: number, expected: number): number {
  if (Object.is(actual, expected) || actual === expected) return 0;
  const difference = Math.abs(actual - expected);
  return Number.isNaN(difference) ? Infinity : difference;
}

export interface Result {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Whole numbers must be equal; real ones may be off by 5 times PyTorch's own error plus the backend's allowance. */
export function compareTensor(
  name: string,
  actual: Result,
  expected: GoldenTensor,
  { torch_f32_max_abs_err: torchError = 0 }: GoldenCase,
  share: number,
): TensorResult {
  const reference = valuesOf(expected);
  let largest = 1;
  for (const value of reference)
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const tolerance = expected.dtype === 'i64' ? 0 : 5 * torchError + share * largest;
  if (formatShape(actual.shape) !== formatShape(expected.shape)) {
    const reason = `${name} has shape ${formatShape(actual.shape)}, expected ${formatShape(expected.shape)}`;
    return { name, error: Infinity, tolerance, reason };
  }
  let error = 0;
  for (const [i, value] of reference.entries())
    error = Math.max(error, deviation(actual.data[i]!, value));
  return { name, error, tolerance };
}

/** How much of its tolerance a tensor uses; above 1 it fails. */
export function usage({ error, tolerance }: TensorResult): number {
  return error === 0 ? 0 : error / tolerance;
}
