// Sums, means, products and extremes over axes of a contiguous tensor; the result is contiguous in the order of the kept
// axes. Sums and products of float32 are kept in float64 and rounded once. How the work is cut depends on the shape only.

import type { Encoder } from '../encoder.ts';
import type { KernelName } from '../generated/kernels.ts';
import { sizeOf } from './axes.ts';
import { cut } from './cut.ts';
import { planFill } from './creation.ts';

export type ReduceOp = 'reduceSum' | 'reduceMean' | 'reduceProd' | 'reduceMax' | 'reduceMin';

export interface ReducePlan {
  readonly op: ReduceOp;
  /** float32 only for means. */
  readonly dtype: 'float32' | 'int32';
  /** Of x. The output must not be empty; extremes need elements. */
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  readonly x: number;
  readonly y: number;
}

interface Group {
  length: number;
  reduced: boolean;
  /** In elements. */
  stride: number;
}

/** Axes by what becomes of them, neighbours of a kind as one; those of length 1 vanish. */
function groupAxes(shape: readonly number[], axes: readonly number[]): Group[] {
  const groups: Group[] = [];
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const reduced = axes.includes(axis);
    const last = groups.at(-1);
    if (last?.reduced === reduced) last.length *= length;
    else groups.push({ length, reduced, stride: 1 });
  }
  let stride = 1;
  for (const group of groups.toReversed()) {
    group.stride = stride;
    stride *= group.length;
  }
  return groups;
}

const names: Readonly<Record<ReduceOp, string>> = {
  reduceSum: 'Sum',
  reduceMean: 'Sum',
  reduceProd: 'Prod',
  reduceMax: 'Max',
  reduceMin: 'Min',
};

/** Elements to fold that are worth a chunk, or a part of their own. */
const ELEMENTS = 32768;
/** Parts and other items that give enough chunks for many threads. */
const ITEMS = 64;
/** Columns and rows folded at a time: a block of them stays in the first cache. */
const COLUMNS = 256;
const ROWS = 32;

export function planReduce(e: Encoder, plan: ReducePlan): void {
  const { op, dtype, shape, axes, x, y } = plan;
  const outputs = sizeOf(shape.filter((_, axis) => !axes.includes(axis)));
  const folded = sizeOf(axes.map((axis) => shape[axis]!));
  if (folded === 0) {
    const value = op === 'reduceMean' ? NaN : Number(op === 'reduceProd');
    planFill(e, { y, dtype, count: outputs, value });
    return;
  }
  const groups = groupAxes(shape, axes);
  const reduced = groups.filter((group) => group.reduced);
  if (reduced.length === 0) {
    const { chunks, perChunk } = cut(e, outputs * 4, ELEMENTS * 8, 64);
    e.emit('copy', chunks, [x, y, outputs * 4, perChunk]);
    return;
  }
  const inLines = groups.at(-1)!.reduced;
  const kept = groups.filter((group) => !group.reduced);
  const columns = inLines ? 1 : kept.pop()!.length;
  const blockColumns = Math.min(columns, COLUMNS);
  const first = reduced[0]!;
  const last = reduced.at(-1)!;
  const second = reduced.length === 3 ? reduced[1]! : { length: 1, stride: 0 };

  // Parts depend on the shape alone, so that every number of threads gives the same sums.
  const items = sizeOf(kept.map(({ length }) => length)) * Math.ceil(columns / blockColumns);
  const wanted = Math.min(ITEMS, Math.floor((outputs * folded) / ELEMENTS));
  const most = Math.max(1, Math.min(first.length, Math.ceil(wanted / items)));
  const multiple = inLines && reduced.length === 1 ? 16 : 1;
  const partLength = Math.ceil(first.length / most / multiple) * multiple;
  const parts = Math.ceil(first.length / partLength);

  const name = `${names[op]}${dtype === 'int32' ? 'Int32' : ''}`;
  const exact = dtype === 'float32' && names[op] !== 'Max' && names[op] !== 'Min';
  const accumulatorBytes = exact ? 8 : 4;
  const divisor = op === 'reduceMean' ? folded : 1;
  const target = parts === 1 ? y : e.workspace(parts * outputs * accumulatorBytes);
  const { chunks, perChunk } = cut(
    e,
    items * parts,
    Math.ceil((ELEMENTS * items * parts) / (outputs * folded + items * parts * 16)),
  );
  e.emit(`reduce${name}${inLines ? 'Lines' : 'Rows'}` as KernelName, chunks, [
    x,
    target,
    items * parts,
    perChunk,
    partLength,
    first.length,
    first.stride * 4,
    second.length,
    second.stride * 4,
    last.length,
    last.stride * 4,
    Number(reduced.length === 1),
    inLines ? 2 ** 30 : ROWS,
    parts === 1 ? divisor : 0,
    columns,
    blockColumns,
    accumulatorBytes,
    parts === 1 ? 4 : accumulatorBytes,
    kept.length,
    ...kept.map(({ length }) => length),
    ...kept.map(({ stride }) => stride * 4),
  ]);
  if (parts === 1) return;
  const combining = cut(e, outputs, Math.ceil(ELEMENTS / 4 / parts), 16);
  e.emit(`combine${name}` as KernelName, combining.chunks, [
    target,
    y,
    outputs,
    combining.perChunk,
    parts,
    divisor,
  ]);
}
