// Elementwise ops of one input, arithmetic of two that broadcast, and select. The output may be any input of its size and
// layout (each element is read before it is written); it is written contiguously in the order of the axes given.

import { SELU_ALPHA, SELU_SCALE, type Dtype, type OpAttributes } from '@convoke/backend-api';

import { f32, type Encoder } from '../encoder.ts';
import type { KernelName } from '../generated/kernels.ts';
import { mergeAxes, sizeOf } from './axes.ts';
import { cut } from './cut.ts';

type Int32UnaryOp = 'neg' | 'abs' | 'sign' | 'square' | 'relu' | 'clamp';
export type UnaryOp =
  | Int32UnaryOp
  | 'exp'
  | 'log'
  | 'log1p'
  | 'sqrt'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'floor'
  | 'round'
  | 'rsqrt'
  | 'reciprocal'
  | 'sigmoid'
  | 'logSigmoid'
  | 'leakyRelu'
  | 'elu'
  | 'selu'
  | 'silu'
  | 'mish'
  | 'softplus'
  | 'softsign'
  | 'hardswish'
  | 'hardsigmoid'
  | 'gelu'
  | 'scaledTanh';
export type BinaryOp =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'minimum'
  | 'maximum'
  | 'reluGradient';

export interface UnaryPlan<K extends UnaryOp = UnaryOp> {
  readonly op: K;
  /** int32 only for the ops of `Int32UnaryOp`. */
  readonly dtype: 'float32' | 'int32';
  readonly attributes: OpAttributes[K];
  readonly x: number;
  /** May be `x`. */
  readonly y: number;
  /** Above 0. */
  readonly count: number;
}

/** Where an input of a broadcast lies. */
export interface Operand {
  readonly address: number;
  /** In elements, one for each axis of the plan's shape; 0 where the operand repeats. */
  readonly strides: readonly number[];
}

export interface BinaryPlan {
  readonly op: BinaryOp;
  /** int32 for all but div and pow. */
  readonly dtype: 'float32' | 'int32';
  /** Of the output, without zeros; y is contiguous in this order of axes. */
  readonly shape: readonly number[];
  readonly a: Operand;
  readonly b: Operand;
  readonly y: number;
}

export interface SelectPlan {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Bytes; anything but 0 is true. */
  readonly condition: Operand;
  readonly a: Operand;
  readonly b: Operand;
  readonly y: number;
}

/** Elements a chunk at least, where memory sets the pace, and where arithmetic does. */
const CHEAP = 65536;
const COSTLY = 16384;

const cheap: ReadonlySet<UnaryOp> = new Set<UnaryOp>([
  ...(['neg', 'abs', 'sign', 'square', 'relu', 'clamp', 'sqrt', 'floor', 'round'] as const),
  ...(['rsqrt', 'reciprocal', 'leakyRelu', 'softsign', 'hardswish', 'hardsigmoid'] as const),
]);

/** The numbers of an op's kernel, as words. */
function parameters({ op, dtype, attributes }: UnaryPlan): number[] {
  const given = attributes as Partial<
    OpAttributes['clamp'] &
      OpAttributes['leakyRelu'] &
      OpAttributes['elu'] &
      OpAttributes['scaledTanh']
  >;
  switch (op) {
    case 'clamp': {
      const limits = [given.min!, given.max!];
      // A whole number between the limits is between the limits truncated, as they are when written as int32.
      return limits.map(dtype === 'int32' ? toInt32 : f32);
    }
    case 'leakyRelu':
      return [f32(given.negativeSlope!)];
    case 'elu':
      return [f32(given.alpha!), f32(1)];
    case 'selu':
      return [f32(SELU_ALPHA * SELU_SCALE), f32(SELU_SCALE)];
    case 'scaledTanh':
      return [f32(given.amplitude!), f32(given.slope!)];
    default:
      return [];
  }
}

function toInt32(value: number): number {
  return Math.max(-(2 ** 31), Math.min(Math.trunc(value), 2 ** 31 - 1));
}

function unaryKernel({ op, dtype, attributes }: UnaryPlan): KernelName {
  if (op === 'elu' || op === 'selu') return 'unaryElu';
  if (op === 'gelu') {
    const { approximate } = attributes as OpAttributes['gelu'];
    return approximate === 'tanh' ? 'unaryGeluTanh' : 'unaryGelu';
  }
  return `unary${capital(op)}${dtype === 'int32' ? 'Int32' : ''}` as KernelName;
}

export function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

export function planUnary(e: Encoder, plan: UnaryPlan): void {
  const { op, x, y, count } = plan;
  const { chunks, perChunk } = cut(e, count, cheap.has(op) ? CHEAP : COSTLY, 64);
  e.emit(unaryKernel(plan), chunks, [x, y, count, perChunk, ...parameters(plan)]);
}

export function planBinary(e: Encoder, plan: BinaryPlan): void {
  const { op, dtype, shape, a, b, y } = plan;
  const kernel = `binary${capital(op)}${dtype === 'int32' ? 'Int32' : ''}` as KernelName;
  const inputs = [
    { ...a, bytes: 4 },
    { ...b, bytes: 4 },
  ];
  planBroadcast(e, kernel, shape, inputs, y, op === 'pow' ? COSTLY / 2 : CHEAP / 2);
}

export function planSelect(e: Encoder, { dtype, shape, condition, a, b, y }: SelectPlan): void {
  const wide = dtype === 'float32' || dtype === 'int32';
  const bytes = wide ? 4 : 1;
  const inputs = [
    { ...condition, bytes: 1 },
    { ...a, bytes },
    { ...b, bytes },
  ];
  planBroadcast(e, wide ? 'select' : 'selectBytes', shape, inputs, y, CHEAP / 2);
}

/**
 * Emits a kernel of assembly/broadcast.ts. Lines are along the last axis after merging. Chunks are stretches of the output,
 * wherever they begin and end within lines.
 */
export function planBroadcast(
  e: Encoder,
  kernel: KernelName,
  shape: readonly number[],
  inputs: readonly (Operand & { readonly bytes: number })[],
  y: number,
  least: number,
): void {
  const { lengths, strides } = mergeAxes(shape, ...inputs.map((input) => input.strides));
  const count = sizeOf(lengths);
  // A short line costs about as much as 16 elements of a long one.
  const line = lengths.at(-1)!;
  const { chunks, perChunk } = cut(e, count, Math.ceil((least * line) / (line + 16)), 64);
  e.emit(kernel, chunks, [
    y,
    count,
    perChunk,
    lengths.length,
    ...lengths,
    ...inputs.flatMap(({ address, bytes }, i) => [
      address,
      ...strides[i]!.map((stride) => stride * bytes),
    ]),
  ]);
}
