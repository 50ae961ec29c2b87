// Tells tensors from what was passed in their place: a forgotten await, a plain array, nothing at all.

import { DataError } from '@convoke/backend-api';

import { isThenable } from './synchronous.ts';
import type { Tensor } from './tensor.ts';

export function isTensor(value: unknown): value is Tensor {
  return (value as Partial<Tensor> | null | undefined)?.isTensor === true;
}

/** What a value is, in words. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (isThenable(value)) return 'a promise';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Throws a DataError unless `value`, which is `what` of `op`, is a tensor. */
export function expectTensor(op: string, what: string, value: unknown): void {
  if (isTensor(value)) return;
  const remedy = isThenable(value) ? 'await it first' : 'make one with tensor()';
  throw new DataError(`${op}: ${what} is ${kindOf(value)}; expected a tensor, ${remedy}`);
}
