// Ops that move elements along. Each is one strided copy: rows where the target's innermost axis is read in order, tiles
// where it is another axis that lies closely packed in the source.

import type { Dtype } from '@convoke/backend-api';

import type { Encoder } from '../encoder.ts';
import { cut } from './cut.ts';
import { planCopy } from './copy.ts';
import { planFill } from './creation.ts';

/** Where a tensor lies: element [i, j, …] at `address` + bytes of (i * strides[0] + j * strides[1] + …) elements. */
export interface Placed {
  readonly address: number;
  readonly shape: readonly number[];
  /** In elements; C order if absent. */
  readonly strides?: readonly number[];
}

/** Bytes of an element: 4 for float32 and int32, 1 for uint8 and bool. */
export type ElementBytes = 1 | 4;

export interface Move {
  readonly shape: readonly number[];
  readonly elementBytes: ElementBytes;
  readonly from: number;
  /** In elements; 0 repeats, negative strides run backwards. */
  readonly fromStrides: readonly number[];
  readonly to: number;
  /** In elements, all above 0 where the axis is longer than 1. */
  readonly toStrides: readonly number[];
}

interface Axis {
  length: number;
  from: number;
  to: number;
}

export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) {
    strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  }
  return strides;
}

/** The axes in the target's order, outermost first, with neighbours that both sides see as one axis merged. */
function mergedAxes({ shape, fromStrides, toStrides }: Move): Axis[] {
  const axes = shape
    .map((length, i) => ({ length, from: fromStrides[i]!, to: toStrides[i]! }))
    .filter(({ length }) => length !== 1)
    .toSorted((a, b) => b.to - a.to);
  const merged: Axis[] = [];
  for (const axis of axes) {
    const outer = merged.at(-1);
    const { length } = axis;
    if (outer && outer.from === axis.from * length && outer.to === axis.to * length) {
      merged[merged.length - 1] = { ...axis, length: length * outer.length };
    } else {
      merged.push(axis);
    }
  }
  return merged;
}

/** Words of axes for the kernels, innermost first: length, step in the source, step in the target, in bytes. */
function axisWords(axes: readonly Axis[], bytes: number): number[] {
  return axes.toReversed().flatMap(({ length, from, to }) => [length, from * bytes, to * bytes]);
}

function countOf(axes: readonly Axis[]): number {
  return axes.reduce((count, { length }) => count * length, 1);
}

function wholeVectors(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/** About 20 microseconds' worth. */
const CHUNK_ELEMENTS = 16384;
/** Elements of a block of tiles. */
const BLOCK = 1024;

export function planMove(e: Encoder, plan: Move): void {
  const axes = mergedAxes(plan);
  const bytes = plan.elementBytes;
  const inner = axes.pop() ?? { length: 1, from: 1, to: 1 };
  if (inner.to === 1 && Math.abs(inner.from) > 1) {
    const across = axes.findIndex(({ from, length }) => from === 1 && length > 1);
    if (across >= 0) {
      const [rows] = axes.splice(across, 1);
      planTiles(e, plan, rows!, inner, axes);
      return;
    }
  }
  if (axes.length === 0 && inner.from === 1 && inner.to === 1) {
    planCopy(e, { from: plan.from, to: plan.to, bytes: inner.length * bytes });
    return;
  }
  const segment = Math.min(inner.length, CHUNK_ELEMENTS);
  const segments = Math.ceil(inner.length / segment);
  const units = segments * countOf(axes);
  const { chunks, perChunk } = cut(e, units, CHUNK_ELEMENTS / segment);
  e.emit(bytes === 4 ? 'copyRows' : 'copyRowsOfBytes', chunks, [
    plan.from,
    plan.to,
    inner.length,
    inner.from,
    inner.to,
    segment,
    segments,
    units,
    perChunk,
    axes.length,
    ...axisWords(axes, bytes),
  ]);
}

/** `rows` is the axis whose neighbours are neighbours in the source, `columns` the one in the target. */
function planTiles(
  e: Encoder,
  { elementBytes, from, to }: Move,
  rows: Axis,
  columns: Axis,
  outer: readonly Axis[],
): void {
  // Blocks are squares of 32, or longer where one side is short.
  const least = Math.min(wholeVectors(rows.length), 32);
  const blockColumns = Math.min(wholeVectors(columns.length), wholeVectors(BLOCK / least));
  const blockRows = wholeVectors(BLOCK / blockColumns);
  const rowBlocks = Math.ceil(rows.length / blockRows);
  const columnBlocks = Math.ceil(columns.length / blockColumns);
  const units = rowBlocks * columnBlocks * countOf(outer);
  const { chunks, perChunk } = cut(e, units, CHUNK_ELEMENTS / BLOCK);
  e.emit(elementBytes === 4 ? 'copyTiles' : 'copyTilesOfBytes', chunks, [
    from,
    to,
    rows.length,
    rows.to * elementBytes,
    columns.length,
    columns.from * elementBytes,
    blockRows,
    blockColumns,
    rowBlocks,
    columnBlocks,
    units,
    perChunk,
    outer.length,
    ...axisWords(outer, elementBytes),
  ]);
}

function stridesOf({ shape, strides }: Placed): readonly number[] {
  return strides ?? contiguousStrides(shape);
}

export interface Permute {
  readonly x: Placed;
  readonly y: number;
  readonly elementBytes: ElementBytes;
  readonly permutation: readonly number[];
}

/** y, in C order, has axis permutation[i] of x as its axis i. */
export function planPermute(e: Encoder, { x, y, elementBytes, permutation }: Permute): void {
  const strides = stridesOf(x);
  const shape = permutation.map((axis) => x.shape[axis]!);
  planMove(e, {
    shape,
    elementBytes,
    from: x.address,
    to: y,
    fromStrides: permutation.map((axis) => strides[axis]!),
    toStrides: contiguousStrides(shape),
  });
}

export interface BroadcastTo {
  readonly x: Placed;
  readonly y: number;
  readonly elementBytes: ElementBytes;
  readonly shape: readonly number[];
}

/** y, in C order of `shape`, repeats x along its axes of length 1 and along new leading axes. */
export function planBroadcastTo(e: Encoder, { x, y, elementBytes, shape }: BroadcastTo): void {
  const own = stridesOf(x);
  const lead = shape.length - x.shape.length;
  planMove(e, {
    shape,
    elementBytes,
    from: x.address,
    to: y,
    toStrides: contiguousStrides(shape),
    fromStrides: shape.map((_, axis) => {
      return axis < lead || x.shape[axis - lead] === 1 ? 0 : own[axis - lead]!;
    }),
  });
}

export interface Slice {
  readonly x: Placed;
  readonly y: number;
  readonly elementBytes: ElementBytes;
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

/** y in C order. */
export function planSlice(e: Encoder, plan: Slice): void {
  const { x, y, elementBytes, starts, sizes, steps } = plan;
  const own = stridesOf(x);
  const offset = starts.reduce((sum, start, axis) => sum + start * own[axis]!, 0);
  planMove(e, {
    shape: sizes,
    elementBytes,
    from: x.address + offset * elementBytes,
    to: y,
    fromStrides: own.map((stride, axis) => stride * steps[axis]!),
    toStrides: contiguousStrides(sizes),
  });
}

export interface Flip {
  readonly x: Placed;
  readonly y: number;
  readonly elementBytes: ElementBytes;
  /** An axis named twice is turned twice. */
  readonly axes: readonly number[];
}

/** y in C order. */
export function planFlip(e: Encoder, { x, y, elementBytes, axes }: Flip): void {
  const own = stridesOf(x);
  const turned = x.shape.map((_, axis) => axes.filter((one) => one === axis).length % 2 === 1);
  const offset = own.reduce((sum, stride, axis) => {
    return turned[axis] ? sum + (x.shape[axis]! - 1) * stride : sum;
  }, 0);
  planMove(e, {
    shape: x.shape,
    elementBytes,
    from: x.address + offset * elementBytes,
    to: y,
    fromStrides: own.map((stride, axis) => (turned[axis] ? -stride : stride)),
    toStrides: contiguousStrides(x.shape),
  });
}

export interface Pad {
  readonly x: Placed;
  readonly y: number;
  readonly dtype: Dtype;
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Elements of `value` between two neighbours. */
  readonly interior: readonly number[];
  readonly value: number;
}

/** y in C order. An x without elements gives a y of nothing but `value`. */
export function planPad(e: Encoder, plan: Pad): void {
  const { x, y, dtype, before, after, interior, value } = plan;
  const elementBytes = dtype === 'float32' || dtype === 'int32' ? 4 : 1;
  const shape = x.shape.map((length, axis) => {
    const between = Math.max(length - 1, 0) * interior[axis]!;
    return before[axis]! + length + between + after[axis]!;
  });
  const count = shape.reduce((a, b) => a * b, 1);
  const own = x.shape.reduce((a, b) => a * b, 1);
  if (count > own) planFill(e, { y, dtype, count, value });
  if (own === 0) return;
  const strides = contiguousStrides(shape);
  const offset = before.reduce((sum, length, axis) => sum + length * strides[axis]!, 0);
  planMove(e, {
    shape: x.shape,
    elementBytes,
    from: x.address,
    to: y + offset * elementBytes,
    fromStrides: stridesOf(x),
    toStrides: strides.map((stride, axis) => stride * (interior[axis]! + 1)),
  });
}

export interface Concat {
  /** Tensors without elements are passed over. */
  readonly xs: readonly Placed[];
  readonly y: number;
  readonly elementBytes: ElementBytes;
  readonly axis: number;
}

/** y in C order. */
export function planConcat(e: Encoder, { xs, y, elementBytes, axis }: Concat): void {
  const total = xs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const strides = contiguousStrides(xs[0]!.shape.map((n, i) => (i === axis ? total : n)));
  let at = 0;
  for (const x of xs) {
    const to = y + at * strides[axis]! * elementBytes;
    at += x.shape[axis]!;
    if (x.shape.includes(0)) continue;
    planMove(e, {
      shape: x.shape,
      elementBytes,
      from: x.address,
      to,
      fromStrides: stridesOf(x),
      toStrides: strides,
    });
  }
}
