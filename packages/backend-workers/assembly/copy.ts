// Filling, copying and reordering memory. Elements are 4 bytes (float32, int32) or 1 (uint8, bool) and are moved as bits.

import { scratch } from './thread';

// @kernel
// Arguments: to, count of 32-bit elements, bits of the value, elements per chunk.
export function fill(a: usize, chunk: i32): void {
  const count = load<u32>(a, 4);
  const perChunk = load<u32>(a, 12);
  const first = <u32>chunk * perChunk;
  const bits = load<i32>(a, 8);
  const value = i32x4.splat(bits);
  let to: usize = <usize>load<u32>(a) + ((<usize>first) << 2);
  let left = min(perChunk, count - first);
  for (; left >= 4; left -= 4) {
    v128.store(to, value);
    to += 16;
  }
  for (; left > 0; left--) {
    store<i32>(to, bits);
    to += 4;
  }
}

// @kernel
// Arguments: to, count of bytes, value, bytes per chunk.
export function fillBytes(a: usize, chunk: i32): void {
  const perChunk = load<u32>(a, 12);
  const first = <u32>chunk * perChunk;
  memory.fill(
    <usize>load<u32>(a) + first,
    <u8>load<u32>(a, 8),
    min(perChunk, load<u32>(a, 4) - first),
  );
}

// @kernel
// Blocks that do not overlap. Arguments: from, to, bytes, bytes per chunk.
export function copy(a: usize, chunk: i32): void {
  const perChunk = load<u32>(a, 12);
  const first = <u32>chunk * perChunk;
  memory.copy(
    <usize>load<u32>(a, 4) + first,
    <usize>load<u32>(a) + first,
    min(perChunk, load<u32>(a, 8) - first),
  );
}

// @kernel
// Any permutation, broadcast or strided view, written contiguously. Chunks are runs of rows, a row being the last axis.
// Arguments: from, to, bytes of an element (1 or 4), rows, rows per chunk, rank (1 to 6), then per axis its length, then per
// axis the step in the source, in elements.
export function stridedCopy(a: usize, chunk: i32): void {
  const size = load<u32>(a, 8);
  const rows = load<i32>(a, 12);
  const perChunk = load<i32>(a, 16);
  const last = load<i32>(a, 20) - 1;
  const lengths = a + 24;
  const steps = lengths + ((<usize>(last + 1)) << 2);
  const rowLength = load<i32>(lengths + ((<usize>last) << 2));
  const step = load<i32>(steps + ((<usize>last) << 2)) * size;
  const first = chunk * perChunk;
  const end = min(first + perChunk, rows);

  // Where the first row begins in the source, and its index along each outer axis, kept in scratch memory.
  const index = scratch();
  let from: usize = load<u32>(a);
  let rest = first;
  for (let axis = last - 1; axis >= 0; axis--) {
    const at = (<usize>axis) << 2;
    const length = load<i32>(lengths + at);
    const i = rest % length;
    rest /= length;
    store<i32>(index + at, i);
    from += <usize>(i * load<i32>(steps + at) * size);
  }
  let to: usize = <usize>load<u32>(a, 4) + <usize>first * <usize>rowLength * size;
  for (let row = first; row < end; row++) {
    copyRow(from, to, rowLength, step, size);
    to += <usize>rowLength * size;
    for (let axis = last - 1; axis >= 0; axis--) {
      const at = (<usize>axis) << 2;
      const stride = load<i32>(steps + at) * size;
      const i = load<i32>(index + at) + 1;
      from += stride;
      if (i < load<i32>(lengths + at)) {
        store<i32>(index + at, i);
        break;
      }
      store<i32>(index + at, 0);
      from -= <usize>(i * stride);
    }
  }
}

function copyRow(from: usize, to: usize, length: i32, step: i32, size: i32): void {
  if (step == size) {
    memory.copy(to, from, length * size);
  } else if (size == 4) {
    for (let i = 0; i < length; i++) {
      store<u32>(to, load<u32>(from));
      to += 4;
      from += step;
    }
  } else {
    for (let i = 0; i < length; i++) {
      store<u8>(to, load<u8>(from));
      to++;
      from += step;
    }
  }
}

// @kernel
// Matrices of 4-byte elements [B, R, C] to [B, C, R]: how [N, C, H, W] becomes [N, H, W, C] and back. Chunks are bands of
// `band` output rows (a multiple of 4 that covers C, `bands` a matrix). Arguments: from, to, R, C, bands, band.
export function transpose(a: usize, chunk: i32): void {
  const R = load<i32>(a, 8);
  const C = load<i32>(a, 12);
  const bands = load<i32>(a, 16);
  const band = load<i32>(a, 20);
  const matrix = <usize>(chunk / bands) * <usize>R * <usize>C * 4;
  const from: usize = load<u32>(a) + matrix;
  const to: usize = load<u32>(a, 4) + matrix;
  const first = (chunk % bands) * band;
  const end = min(first + band, C);
  const fromRow = (<usize>C) << 2;
  const toRow = (<usize>R) << 2;
  // Blocks of 16 rows keep the lines that are written in the nearest cache.
  for (let r0 = 0; r0 < R; r0 += 16) {
    const rEnd = min(r0 + 16, R);
    const rFull = r0 + ((rEnd - r0) & ~3);
    let c = first;
    for (; c + 4 <= end; c += 4) {
      for (let r = r0; r < rFull; r += 4) {
        transpose4x4(
          from + <usize>r * fromRow + ((<usize>c) << 2),
          fromRow,
          to + <usize>c * toRow + ((<usize>r) << 2),
          toRow,
        );
      }
    }
    for (let r = rFull; r < rEnd; r++) moveElements(from, to, r, first, c, fromRow, toRow);
    for (let r = r0; r < rEnd; r++) moveElements(from, to, r, c, end, fromRow, toRow);
  }
}

function moveElements(
  from: usize,
  to: usize,
  r: i32,
  first: i32,
  end: i32,
  fromRow: usize,
  toRow: usize,
): void {
  const source = from + <usize>r * fromRow;
  let target = to + <usize>first * toRow + ((<usize>r) << 2);
  for (let c = first; c < end; c++) {
    store<u32>(target, load<u32>(source + ((<usize>c) << 2)));
    target += toRow;
  }
}

function transpose4x4(from: usize, fromRow: usize, to: usize, toRow: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + fromRow);
  const c = v128.load(from + 2 * fromRow);
  const d = v128.load(from + 3 * fromRow);
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(to + toRow, v128.shuffle<i64>(ab0, cd0, 1, 3));
  v128.store(to + 2 * toRow, v128.shuffle<i64>(ab1, cd1, 0, 2));
  v128.store(to + 3 * toRow, v128.shuffle<i64>(ab1, cd1, 1, 3));
}
