// Filling, copying and reordering memory: which kernel, in how many chunks.

import type { Encoder } from '../encoder.ts';

/** Bytes that one chunk moves at least: about 20 microseconds of work. */
const CHUNK_BYTES = 2 ** 17;

export interface FillPlan {
  readonly to: number;
  readonly count: number;
  /** The value's bits: `f32(x)`, an int32, or a byte. */
  readonly bits: number;
  readonly elementBytes: 1 | 4;
}

export function planFill(e: Encoder, { to, count, bits, elementBytes }: FillPlan): void {
  const perChunk = CHUNK_BYTES / elementBytes;
  const kernel = elementBytes === 4 ? 'fill' : 'fillBytes';
  e.emit(kernel, Math.ceil(count / perChunk), [to, count, bits, perChunk]);
}

export function planCopy(
  e: Encoder,
  { from, to, bytes }: { readonly from: number; readonly to: number; readonly bytes: number },
): void {
  e.emit('copy', Math.ceil(bytes / CHUNK_BYTES), [from, to, bytes, CHUNK_BYTES]);
}

export interface StridedCopyPlan {
  readonly from: number;
  /** Written contiguously, in C order of `shape`. */
  readonly to: number;
  readonly shape: readonly number[];
  /** Step in the source for each axis of `shape`, in elements; 0 repeats, negative walks backwards from `from`. */
  readonly strides: readonly number[];
  readonly elementBytes: 1 | 4;
}

/**
 * Copies a strided view of `from` to contiguous memory. Axes of length 1 vanish, neighbours that lie in one line become one
 * axis, and what is then a plain copy or a batch of matrix transposes (NCHW to NHWC and back) goes to the quicker kernels.
 */
export function planStridedCopy(e: Encoder, plan: StridedCopyPlan): void {
  const { from, to, elementBytes } = plan;
  const axes = simplify(plan.shape, plan.strides);
  const count = axes.reduce((size, { length }) => size * length, 1);
  if (count === 0) return;
  if (axes.length === 0 || (axes.length === 1 && axes[0]!.stride === 1)) {
    planCopy(e, { from, to, bytes: count * elementBytes });
    return;
  }
  const matrices = elementBytes === 4 ? asTranspose(axes) : null;
  if (matrices) {
    planTranspose(e, { from, to, ...matrices });
    return;
  }
  const rowLength = axes.at(-1)!.length;
  const rows = count / rowLength;
  const perChunk = Math.max(1, Math.ceil(CHUNK_BYTES / 4 / elementBytes / rowLength));
  e.emit('stridedCopy', Math.ceil(rows / perChunk), [
    from,
    to,
    elementBytes,
    rows,
    perChunk,
    axes.length,
    ...axes.map(({ length }) => length),
    ...axes.map(({ stride }) => stride),
  ]);
}

export interface TransposePlan {
  readonly from: number;
  readonly to: number;
  readonly batch: number;
  /** Of each matrix in the source. */
  readonly rows: number;
  readonly columns: number;
}

/** [batch, rows, columns] to [batch, columns, rows], 4-byte elements. */
export function planTranspose(e: Encoder, { from, to, batch, rows, columns }: TransposePlan): void {
  const wanted = Math.ceil(CHUNK_BYTES / 4 / (rows * 4));
  const band = Math.max(4, Math.min(Math.ceil(wanted / 4), Math.ceil(columns / 4)) * 4);
  const bands = Math.ceil(columns / band);
  e.emit('transpose', batch * bands, [from, to, rows, columns, bands, band]);
}

interface Axis {
  readonly length: number;
  readonly stride: number;
}

function simplify(shape: readonly number[], strides: readonly number[]): Axis[] {
  const axes: Axis[] = [];
  shape.forEach((length, i) => {
    const stride = strides[i]!;
    if (length === 1) return;
    const outer = axes.at(-1);
    if (outer && outer.stride === stride * length) {
      axes[axes.length - 1] = { length: outer.length * length, stride };
    } else {
      axes.push({ length, stride });
    }
  });
  return axes;
}

/** Whether the axes are [batch,] columns, rows of contiguous matrices [batch,] rows, columns. */
function asTranspose(
  axes: readonly Axis[],
): { batch: number; rows: number; columns: number } | null {
  if (axes.length !== 2 && axes.length !== 3) return null;
  const [columns, rows] = axes.slice(-2) as [Axis, Axis];
  const batch = axes.length === 3 ? axes[0]! : { length: 1, stride: columns.length * rows.length };
  const fits =
    columns.stride === 1 &&
    rows.stride === columns.length &&
    batch.stride === rows.length * columns.length;
  return fits ? { batch: batch.length, rows: rows.length, columns: columns.length } : null;
}
