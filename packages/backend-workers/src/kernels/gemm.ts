// Plans of matrix products. One command multiplies; the right factor is packed before it unless it is small, and a
// transposed left factor is turned.

import { f32, type Encoder } from '../encoder.ts';
import { chunkCount, splitProduct, type Split } from './chunks.ts';
import { panelBytes, planPackMatrix, planTransposeMatrix } from './pack.ts';

/** One batch axis: its size, and how many elements on the next matrix of each factor lies. 0 repeats the same one. */
export interface BatchAxis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

export interface Matmul {
  /** Addresses; a is [m, k] or, transposed, [k, m]; b is [k, n] or [n, k]; y [...batch, m, n]. */
  readonly a: number;
  readonly b: number;
  readonly y: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Outermost first. */
  readonly batch?: readonly BatchAxis[];
  /** Address of [n], or 0. */
  readonly bias?: number;
  /** Address of what is added before the clamp, laid out as y, or 0. May be y itself. */
  readonly addend?: number;
  /** Lowest and highest result. */
  readonly clamp?: readonly [number, number];
}

/** A product whose right factor is packed: by `planPackMatrix`, one after the other where batches differ in it. */
export interface MatmulPacked extends Omit<Matmul, 'b' | 'transposeB'> {
  readonly packed: number;
}

export const NO_CLAMP: readonly [number, number] = [-Infinity, Infinity];

/** The word of a command that tells the tile's height; 0 leaves the choice to the build. */
export function tileRows(e: Encoder): number {
  return e.tileRows ?? 0;
}

/** Up to so many elements of k are summed before the sum is added to the others': it fits caches and rounds less. */
const K_BLOCK = 512;
/** Columns whose block of panels (K_BLOCK * 4 bytes each) stays in the second-level cache. */
const COLUMN_BLOCK = 128;
/**
 * Rows below which reading the right factor in place beats packing it: at 16 rows of 512 by 512 by 15 %; at 32 the two are level,
 * and packed is ahead where rows lie a power of two apart.
 */
const FEW_ROWS = 32;

/** Place among the arguments of `gemm` of the bytes from one batch of y to the next. */
const Y_BATCH_BYTES = 9;

/** k in equal blocks. */
function kBlock(k: number): number {
  const blocks = Math.max(1, Math.ceil(k / K_BLOCK));
  return Math.ceil(k / blocks);
}

interface Right {
  readonly address: number;
  readonly panelBytes: number;
  readonly stepBytes: number;
}

type Product = Omit<Matmul, 'b' | 'batch'>;

function emitProduct(e: Encoder, product: Product, right: Right, axis: BatchAxis): void {
  const { m, n, k } = product;
  const { size } = axis;
  const wanted = chunkCount(e.threads, size * m * n * k);
  const inBatch = splitProduct(m, n, Math.ceil(wanted / size), e.threads);
  const perBatch = inBatch.rows.chunks * inBatch.columns.chunks;
  const batchesPerChunk = perBatch > 1 ? 1 : Math.ceil(size / wanted);
  const words = productWords(e, product, right, axis, { ...inBatch, batchesPerChunk });
  e.emit('gemm', perBatch * Math.ceil(size / batchesPerChunk), words);
}

/** The arguments of `gemm`. */
function productWords(
  e: Encoder,
  { a, y, m, n, k, bias = 0, addend = 0, clamp = NO_CLAMP }: Product,
  right: Right,
  { size, a: aStride, b: bStride }: BatchAxis,
  cutting: { readonly rows: Split; readonly columns: Split; readonly batchesPerChunk: number },
): number[] {
  return [
    a,
    k * 4,
    aStride * 4,
    right.address,
    right.panelBytes,
    right.stepBytes,
    bStride * 4,
    y,
    n * 4,
    m * n * 4,
    bias,
    addend,
    m,
    n,
    k,
    kBlock(k),
    cutting.batchesPerChunk,
    cutting.rows.perChunk,
    cutting.rows.chunks,
    cutting.columns.perChunk,
    cutting.columns.chunks,
    COLUMN_BLOCK,
    tileRows(e),
    f32(clamp[0]),
    f32(clamp[1]),
    size,
  ];
}

/**
 * The arguments of `gemm` for a kernel that multiplies images by a packed factor one at a time, each into the same memory of its
 * own.
 */
export function imageProductWords(
  e: Encoder,
  { a, packed, m, n, k }: Pick<MatmulPacked, 'a' | 'packed' | 'm' | 'n' | 'k'>,
): number[] {
  const right = { address: packed, panelBytes: k * 32, stepBytes: 32 };
  const whole = { perChunk: Math.max(m, n), chunks: 1 };
  const cutting = { rows: whole, columns: whole, batchesPerChunk: 1 };
  const words = productWords(e, { a, y: 0, m, n, k }, right, { size: 1, a: m * k, b: 0 }, cutting);
  words[Y_BATCH_BYTES] = 0;
  return words;
}

/** Fewest axes that walk the same matrices. */
function mergeAxes(axes: readonly BatchAxis[]): BatchAxis[] {
  const merged: BatchAxis[] = [];
  for (const axis of axes) {
    if (axis.size === 1) continue;
    const outer = merged.at(-1);
    if (outer && outer.a === axis.a * axis.size && outer.b === axis.b * axis.size) {
      merged[merged.length - 1] = { ...axis, size: outer.size * axis.size };
    } else {
      merged.push(axis);
    }
  }
  return merged;
}

/** The axes along which a factor really differs: those of the matrices to be packed or turned. Both strides are the factor's. */
function distinct(axes: readonly BatchAxis[], factor: 'a' | 'b'): BatchAxis[] {
  return axes
    .filter((axis) => axis[factor] !== 0)
    .map((axis) => ({ size: axis.size, a: axis[factor], b: axis[factor] }));
}

/** The axes with factor `factor` stored matrix after matrix, of `elements` each, in the order of its distinct ones. */
function restride(axes: readonly BatchAxis[], factor: 'a' | 'b', elements: number): BatchAxis[] {
  let stride = elements;
  const result: BatchAxis[] = [];
  for (const axis of axes.toReversed()) {
    if (axis[factor] === 0) {
      result.push(axis);
      continue;
    }
    result.push({ ...axis, [factor]: stride });
    stride *= axis.size;
  }
  return result.toReversed();
}

/** Calls back for each matrix of all axes but the last, with the offsets in elements, then with the last axis. */
function forEachOuter(
  axes: readonly BatchAxis[],
  visit: (a: number, b: number, index: number, inner: BatchAxis) => void,
): void {
  const inner = axes.at(-1) ?? { size: 1, a: 0, b: 0 };
  const walk = (depth: number, a: number, b: number, index: number): void => {
    if (depth >= axes.length - 1) {
      visit(a, b, index, inner);
      return;
    }
    const axis = axes[depth]!;
    for (let i = 0; i < axis.size; i++) {
      walk(depth + 1, a + i * axis.a, b + i * axis.b, index * axis.size + i);
    }
  };
  walk(0, 0, 0, 0);
}

function planProducts(
  e: Encoder,
  matmul: Omit<Matmul, 'b'>,
  right: Right,
  axes: readonly BatchAxis[],
): void {
  const { m, n, k } = matmul;
  const merged = mergeAxes(axes);
  const only = merged.length === 1 ? merged[0]! : undefined;
  if (only && only.b === 0 && only.a === m * k) {
    // One right factor for all: the matrices of a are rows of one.
    emitProduct(e, { ...matmul, m: m * only.size }, right, { size: 1, a: 0, b: 0 });
    return;
  }
  forEachOuter(merged, (a, b, index, inner) => {
    const offset = index * inner.size * m * n * 4;
    emitProduct(
      e,
      {
        ...matmul,
        a: matmul.a + a * 4,
        y: matmul.y + offset,
        addend: matmul.addend ? matmul.addend + offset : 0,
      },
      { ...right, address: right.address + b * 4 },
      inner,
    );
  });
}

/** a with rows of k in place: itself, or a transposed copy in workspace. */
function turnedLeft(
  e: Encoder,
  { a, m, k, transposeA }: Omit<Matmul, 'b'>,
  axes: readonly BatchAxis[],
): { a: number; axes: readonly BatchAxis[] } {
  if (!transposeA || m === 1 || k === 1) return { a, axes };
  const own = distinct(axes, 'a');
  const count = own.reduce((product, axis) => product * axis.size, 1);
  const to = e.workspace(count * m * k * 4);
  forEachOuter(mergeAxes(own), (from, _, index, inner) => {
    planTransposeMatrix(e, {
      from: a + from * 4,
      to: to + index * inner.size * m * k * 4,
      rows: k,
      columns: m,
      batch: inner.size,
      batchStride: inner.a,
    });
  });
  return { a: to, axes: restride(axes, 'a', m * k) };
}

function isEmpty({ m, n, batch = [] }: Omit<Matmul, 'b'>): boolean {
  return m * n === 0 || batch.some((axis) => axis.size === 0);
}

/** y = clamp(a b + bias + addend). */
export function planMatmul(e: Encoder, matmul: Matmul): void {
  if (isEmpty(matmul)) return;
  const { b, m, n, k, transposeB = false, batch = [] } = matmul;
  const left = turnedLeft(e, matmul, batch);
  const { axes } = left;
  const repeated = axes.every((axis) => axis.b === 0)
    ? axes.reduce((product, axis) => product * axis.size, m)
    : m;
  if ((!transposeB || k === 1) && (repeated < FEW_ROWS || n <= 8)) {
    const right = { address: b, panelBytes: 32, stepBytes: n * 4 };
    planProducts(e, { ...matmul, a: left.a }, right, axes);
    return;
  }
  const own = distinct(axes, 'b');
  const count = own.reduce((product, axis) => product * axis.size, 1);
  const bytes = panelBytes(k, n);
  const packed = e.workspace(count * bytes);
  forEachOuter(mergeAxes(own), (_, from, index, inner) => {
    planPackMatrix(e, {
      b: b + from * 4,
      packed: packed + index * inner.size * bytes,
      k,
      n,
      transpose: transposeB,
      batch: inner.size,
      batchStride: inner.b,
    });
  });
  const right = { address: packed, panelBytes: k * 32, stepBytes: 32 };
  planProducts(e, { ...matmul, a: left.a }, right, restride(axes, 'b', bytes / 4));
}

/** As `planMatmul`, with a factor packed beforehand; strides of `b` in `batch` count elements of the packed form. */
export function planMatmulPacked(e: Encoder, matmul: MatmulPacked): void {
  if (isEmpty(matmul)) return;
  const { packed, k, batch = [] } = matmul;
  const left = turnedLeft(e, matmul, batch);
  const right = { address: packed, panelBytes: k * 32, stepBytes: 32 };
  planProducts(e, { ...matmul, a: left.a }, right, left.axes);
}
