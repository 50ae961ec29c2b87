// Matrix products: y = clamp(a b + bias + addend), batched. Rows of a are read where they are; b comes in panels
// (pack.ts), or row by row where packing would cost more than it saves.

import { TAP_BYTES } from './generated/micro-kernels';
import { scratch } from './thread';
import { multiply, prepare, RESERVED, tileRows, unlimited } from './tiles';

// @kernel
// Arguments: a, its row and batch bytes; b, its bytes from panel to panel, from k to k, and its batch bytes; y, its row
// and batch bytes; bias or 0; addend or 0 (laid out as y); m, n, k, elements of k in a block; batches per chunk, rows per
// chunk, chunks of rows, columns per chunk, chunks of columns, columns in a block; tile rows or 0; lowest, highest.
export function gemm(a: usize, chunk: i32): void {
  const batchesPerChunk = load<i32>(a, 64);
  const rowsPerChunk = load<i32>(a, 68);
  const rowChunks = load<i32>(a, 72);
  const columnsPerChunk = load<i32>(a, 76);
  const columnChunks = load<i32>(a, 80);
  const batches = load<i32>(a, 100);
  const m = load<i32>(a, 48), n = load<i32>(a, 52);

  const columnChunk = chunk % columnChunks;
  const rest = chunk / columnChunks;
  const row = (rest % rowChunks) * rowsPerChunk;
  const column = columnChunk * columnsPerChunk;
  const batch = (rest / rowChunks) * batchesPerChunk;
  prepare(scratch());
  for (let i = batch; i < min(batch + batchesPerChunk, batches); i++) {
    block(a, i, row, min(row + rowsPerChunk, m), column, min(column + columnsPerChunk, n));
  }
}

/** Rows `row` to `rowEnd` and columns `column` to `columnEnd` of one product. `a` are gemm's arguments. */
export function block(a: usize, batch: i32, row: i32, rowEnd: i32, column: i32, columnEnd: i32): void {
  const rowBytes: usize = load<u32>(a, 4);
  const panelBytes: usize = load<u32>(a, 16), step: usize = load<u32>(a, 20);
  const yRowBytes: usize = load<u32>(a, 32);
  const x: usize = <usize>load<u32>(a) + <usize>batch * load<u32>(a, 8);
  const b: usize = <usize>load<u32>(a, 12) + <usize>batch * load<u32>(a, 24);
  const y: usize = <usize>load<u32>(a, 28) + <usize>batch * load<u32>(a, 36);
  const bias: usize = load<u32>(a, 40);
  const addend: usize = load<u32>(a, 44);
  const k = load<i32>(a, 56), kBlock = load<i32>(a, 60);
  const columnBlock = load<i32>(a, 84);
  const height = tileRows(load<i32>(a, 88));
  const limits = a + 92;
  const base = scratch();
  const offsets = base + RESERVED, table = offsets + TAP_BYTES;
  store<u32>(table, 0, 24);

  for (let n = column; n < columnEnd; n += columnBlock) {
    const columns = min(columnBlock, columnEnd - n);
    const columnOffset = (<usize>n) << 2;
    let from = 0;
    do {
      const to = min(from + kBlock, k);
      const first = from == 0, last = to == k;
      const panel = b + (<usize>n >> 3) * panelBytes + <usize>from * step;
      for (let i = row; i < rowEnd; i += height) {
        const rows = min(height, rowEnd - i);
        for (let r = 0; r < rows; r++) {
          store<u32>(offsets + ((<usize>r) << 2), <u32>(<usize>(i + r) * yRowBytes));
          store<u32>(table + ((<usize>r) << 2), <u32>(x + <usize>(i + r) * rowBytes));
        }
        multiply(
          base, rows, offsets, table, to > from ? 1 : 0, (<usize>from) << 2, (<usize>to) << 2,
          panel, panelBytes, step, columns, y + columnOffset,
          first ? (addend != 0 ? addend + <usize>batch * load<u32>(a, 36) + columnOffset : 0) : y + columnOffset,
          first && bias != 0 ? bias + columnOffset : 0, last ? limits : unlimited(base),
        );
      }
      from = to;
    } while (from < k);
  }
}
