// The matrix product under every dense kernel. A matrix is any array read through two tables of offsets, so a transposed
// operand, a batch of images or the taps of a convolution are packed straight from where they lie, a block at a time.

import { getPanels, pack, TILE } from './panels.ts';

/** Element [i, j] is `data[offset + rows[i] + columns[j]]`. */
export interface Matrix<T = Float32Array> {
  readonly data: T;
  readonly offset: number;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** Rows, columns and depth of a block: its column panels fit a cache of the second level. */
const BLOCK_ROWS = 510;
const BLOCK_COLUMNS = 192;
const BLOCK_DEPTH = 256;

/** A product with at most this many rows or columns is not worth packing. */
const NARROW = 2;

let workspace: Float64Array | undefined;

function getSums(): Float64Array {
  return (workspace ??= new Float64Array(BLOCK_ROWS * BLOCK_COLUMNS));
}

/** The offsets 0, stride, 2 * stride, ... */
export function steps(count: number, stride: number): Int32Array {
  const offsets = new Int32Array(count);
  for (let i = 0; i < count; i++) offsets[i] = i * stride;
  return offsets;
}

function transposed<T>({ data, offset, rows, columns }: Matrix<T>): Matrix<T> {
  return { data, offset, rows: columns, columns: rows };
}

/** target = a * b. */
export function multiply(a: Matrix, b: Matrix, target: Matrix): void {
  product(a, b, target, storeTiles);
}

/** target += a * b. */
export function multiplyAdd(a: Matrix, b: Matrix, target: Matrix<Float64Array>): void {
  product(a, b, target, addTiles);
}

type TileWriter<T> = (
  sums: Float64Array,
  target: Matrix<T>,
  firstRow: number,
  rowCount: number,
  firstColumn: number,
  columnCount: number,
) => void;

function product<T>(a: Matrix, b: Matrix, target: Matrix<T>, write: TileWriter<T>): void {
  const m = a.rows.length;
  const n = b.columns.length;
  if (m === 0 || n === 0) return;
  if (n <= NARROW) narrowProduct(a, b, target, write);
  else if (m <= NARROW) narrowProduct(transposed(b), transposed(a), transposed(target), write);
  else blockedProduct(a, b, target, write);
}

function blockedProduct<T>(a: Matrix, b: Matrix, target: Matrix<T>, write: TileWriter<T>): void {
  const panels = getPanels();
  const sums = getSums();
  const m = a.rows.length;
  const n = b.columns.length;
  const k = a.columns.length;
  const depth = Math.ceil(k / Math.max(1, Math.ceil(k / BLOCK_DEPTH)));
  for (let column = 0; column < n; column += BLOCK_COLUMNS) {
    const columnCount = Math.min(BLOCK_COLUMNS, n - column);
    const across = Math.ceil(columnCount / TILE);
    for (let row = 0; row < m; row += BLOCK_ROWS) {
      const rowCount = Math.min(BLOCK_ROWS, m - row);
      if (k === 0) sums.fill(0);
      for (let start = 0; start < k; start += depth) {
        const length = Math.min(depth, k - start);
        pack(
          panels.columns,
          b.data,
          b.offset,
          b.columns,
          column,
          columnCount,
          b.rows,
          start,
          length,
        );
        // One row panel after the other, each multiplied while it is in the cache of the first level.
        for (let i = 0; i < rowCount; i += TILE) {
          const count = Math.min(TILE, rowCount - i);
          pack(panels.rows, a.data, a.offset, a.rows, row + i, count, a.columns, start, length);
          panels.multiply(0, 0, length, across, sums, i * across * TILE, start > 0);
        }
      }
      write(sums, target, row, rowCount, column, columnCount);
    }
  }
}

function storeTiles(
  sums: Float64Array,
  { data, offset, rows, columns }: Matrix,
  firstRow: number,
  rowCount: number,
  firstColumn: number,
  columnCount: number,
): void {
  const across = Math.ceil(columnCount / TILE) * TILE * TILE;
  for (let row = 0; row < rowCount; row++) {
    const o = offset + rows[firstRow + row]!;
    let s = Math.floor(row / TILE) * across + (row % TILE) * TILE;
    let column = firstColumn;
    const end = firstColumn + columnCount;
    for (; column + 3 <= end; column += 3) {
      data[(o + columns[column]!) | 0] = sums[s]!;
      data[(o + columns[column + 1]!) | 0] = sums[s + 1]!;
      data[(o + columns[column + 2]!) | 0] = sums[s + 2]!;
      s = (s + 9) | 0;
    }
    for (; column < end; column++) data[o + columns[column]!] = sums[s++]!;
  }
}

function addTiles(
  sums: Float64Array,
  { data, offset, rows, columns }: Matrix<Float64Array>,
  firstRow: number,
  rowCount: number,
  firstColumn: number,
  columnCount: number,
): void {
  const across = Math.ceil(columnCount / TILE) * TILE * TILE;
  for (let row = 0; row < rowCount; row++) {
    const o = offset + rows[firstRow + row]!;
    let s = Math.floor(row / TILE) * across + (row % TILE) * TILE;
    let column = firstColumn;
    const end = firstColumn + columnCount;
    // One element after the other: offsets may repeat where windows overlap.
    for (; column + 3 <= end; column += 3) {
      data[(o + columns[column]!) | 0]! += sums[s]!;
      data[(o + columns[column + 1]!) | 0]! += sums[s + 1]!;
      data[(o + columns[column + 2]!) | 0]! += sums[s + 2]!;
      s = (s + 9) | 0;
    }
    for (; column < end; column++) data[o + columns[column]!]! += sums[s++]!;
  }
}

/** For one or two columns: four rows at a time against a column of doubles, `a` read in place. */
function narrowProduct<T>(a: Matrix, b: Matrix, target: Matrix<T>, write: TileWriter<T>): void {
  const sums = getSums();
  const depth = a.columns.length;
  const vector = new Float64Array(depth);
  for (let column = 0; column < b.columns.length; column++) {
    const start = b.offset + b.columns[column]!;
    for (let i = 0; i < depth; i++) vector[i] = b.data[start + b.rows[i]!]!;
    for (let row = 0; row < a.rows.length; row += BLOCK_ROWS) {
      const rowCount = Math.min(BLOCK_ROWS, a.rows.length - row);
      multiplyVector(a, row, rowCount, vector, sums);
      write(sums, target, row, rowCount, column, 1);
    }
  }
}

/** Sums of `rowCount` rows, laid out as tiles of which only the first column is used. */
function multiplyVector(
  { data, offset, rows, columns }: Matrix,
  firstRow: number,
  rowCount: number,
  vector: Float64Array,
  sums: Float64Array,
): void {
  const depth = columns.length;
  let row = 0;
  for (; row + 4 <= rowCount; row += 4) {
    const o0 = (offset + rows[firstRow + row]!) | 0;
    const o1 = (offset + rows[firstRow + row + 1]!) | 0;
    const o2 = (offset + rows[firstRow + row + 2]!) | 0;
    const o3 = (offset + rows[firstRow + row + 3]!) | 0;
    let c0 = 0.0;
    let c1 = 0.0;
    let c2 = 0.0;
    let c3 = 0.0;
    for (let i = 0; i < depth; i++) {
      const d = columns[i]!;
      const v = vector[i]!;
      c0 += data[(o0 + d) | 0]! * v;
      c1 += data[(o1 + d) | 0]! * v;
      c2 += data[(o2 + d) | 0]! * v;
      c3 += data[(o3 + d) | 0]! * v;
    }
    const s = row * TILE;
    sums[s] = c0;
    sums[s + 3] = c1;
    sums[s + 6] = c2;
    sums[s + 9] = c3;
  }
  for (; row < rowCount; row++) {
    const o = offset + rows[firstRow + row]!;
    let sum = 0.0;
    for (let i = 0; i < depth; i++) sum += data[o + columns[i]!]! * vector[i]!;
    sums[row * TILE] = sum;
  }
}
