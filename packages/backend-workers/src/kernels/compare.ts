// Comparisons of two inputs that broadcast, to bool bytes, and changes of dtype.

import type { Dtype } from '@convoke/backend-api';

import type { Encoder } from '../encoder.ts';
import type { KernelName } from '../generated/kernels.ts';
import { cut } from './cut.ts';
import { capital, planBroadcast, type Operand } from './elementwise.ts';

export type CompareOp = 'equal' | 'notEqual' | 'less' | 'lessEqual' | 'greater' | 'greaterEqual';

export interface ComparePlan {
  readonly op: CompareOp;
  /** Of the inputs; the output is bool. */
  readonly dtype: Dtype;
  /** Of the output, without zeros; y is contiguous in this order of axes. */
  readonly shape: readonly number[];
  readonly a: Operand;
  readonly b: Operand;
  readonly y: number;
}

export interface CastPlan {
  readonly from: Dtype;
  readonly to: Dtype;
  readonly x: number;
  /** May be `x` where both dtypes have 4 bytes, or both 1. */
  readonly y: number;
  /** Above 0. */
  readonly count: number;
}

const ELEMENTS = 65536;

/** a > b is b < a. */
const turned: Readonly<Partial<Record<CompareOp, CompareOp>>> = {
  greater: 'less',
  greaterEqual: 'lessEqual',
};

const suffix: Readonly<Record<Dtype, string>> = {
  float32: '',
  int32: 'Int32',
  uint8: 'Bytes',
  bool: 'Bytes',
};

export function planCompare(e: Encoder, { op, dtype, shape, a, b, y }: ComparePlan): void {
  const name = turned[op] ?? op;
  const bytes = dtype === 'float32' || dtype === 'int32' ? 4 : 1;
  const inputs = name === op ? [a, b] : [b, a];
  planBroadcast(
    e,
    `compare${capital(name)}${suffix[dtype]}` as KernelName,
    shape,
    inputs.map(({ address, strides }) => ({ address, strides, bytes })),
    y,
    ELEMENTS / 2,
  );
}

/**
 * The same values in another dtype: float32 truncates, stopping at the ends of int32 (NaN gives 0); what uint8 cannot hold
 * wraps; bool is x !== 0. A cast that changes no bits is a copy; the caller may share the storage instead.
 */
export function planCast(e: Encoder, { from, to, x, y, count }: CastPlan): void {
  const source = from === 'bool' ? 'uint8' : from;
  if (from === to || (source === 'uint8' && to === 'uint8')) {
    const bytes = from === 'float32' || from === 'int32' ? count * 4 : count;
    const { chunks, perChunk } = cut(e, bytes, ELEMENTS * 4, 64);
    if (x !== y) e.emit('copy', chunks, [x, y, bytes, perChunk]);
    return;
  }
  const { chunks, perChunk } = cut(e, count, ELEMENTS, 64);
  e.emit(`cast${capital(source)}To${capital(to)}` as KernelName, chunks, [x, y, count, perChunk]);
}
