// Packing the right factor of a product into panels of 8 columns, [columns / 8][k][8], the last one filled up with zeros.

/** Rows of 4 elements become columns: rows r0 to r3 are `stride` bytes apart. */
// @ts-ignore: decorator
@inline
function transpose4(from: usize, stride: usize, to: usize, toStride: usize): void {
  const r0 = v128.load(from), r1 = v128.load(from + stride);
  const r2 = v128.load(from + 2 * stride), r3 = v128.load(from + 3 * stride);
  const a = i32x4.shuffle(r0, r1, 0, 4, 1, 5), b = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
  const c = i32x4.shuffle(r0, r1, 2, 6, 3, 7), d = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(a, b, 0, 2));
  v128.store(to + toStride, i64x2.shuffle(a, b, 1, 3));
  v128.store(to + 2 * toStride, i64x2.shuffle(c, d, 0, 2));
  v128.store(to + 3 * toStride, i64x2.shuffle(c, d, 1, 3));
}

// @kernel
// Element (k = tap * inner + i, column j) of batch g is read at from + g * batchBytes + j * columnBytes + i * innerBytes +
// tap * tapBytes; strides may be negative. Arguments: from, to, columns, inner, taps, the strides columnBytes, innerBytes,
// tapBytes, batchBytes; panels per chunk, panels in all (of all batches).
export function packPanels(a: usize, chunk: i32): void {
  const from: usize = load<u32>(a), to: usize = load<u32>(a, 4);
  const columns = load<i32>(a, 8), inner = load<i32>(a, 12), taps = load<i32>(a, 16);
  const columnBytes: usize = load<u32>(a, 20), innerBytes: usize = load<u32>(a, 24);
  const tapBytes: usize = load<u32>(a, 28), batchBytes: usize = load<u32>(a, 32);
  const perChunk = load<i32>(a, 36);
  const panelsPerBatch = (columns + 7) >> 3;
  const end = min((chunk + 1) * perChunk, load<i32>(a, 40));
  const bytes: usize = (<usize>inner * <usize>taps) << 5;
  for (let p = chunk * perChunk; p < end; p++) {
    const first = (p % panelsPerBatch) << 3;
    const source = from + <usize>(p / panelsPerBatch) * batchBytes + <usize>first * columnBytes;
    const target = to + <usize>p * bytes;
    if (first + 8 > columns) memory.fill(target, 0, bytes);
    for (let tap = 0; tap < taps; tap++) {
      packTap(
        source + <usize>tap * tapBytes, target + ((<usize>tap * <usize>inner) << 5),
        min(8, columns - first), inner, columnBytes, innerBytes,
      );
    }
  }
}

function packTap(
  from: usize, to: usize, columns: i32, inner: i32, columnBytes: usize, innerBytes: usize,
): void {
  if (columns < 8) {
    for (let i = 0; i < inner; i++) {
      for (let j = 0; j < columns; j++) {
        store<u32>(to + ((<usize>j) << 2), load<u32>(from + <usize>j * columnBytes));
      }
      from += innerBytes;
      to += 32;
    }
    return;
  }
  if (columnBytes == 4) {
    for (let i = 0; i < inner; i++) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += innerBytes;
      to += 32;
    }
    return;
  }
  if (innerBytes == 4) {
    for (; inner >= 4; inner -= 4) {
      transpose4(from, columnBytes, to, 32);
      transpose4(from + 4 * columnBytes, columnBytes, to + 16, 32);
      from += 16;
      to += 128;
    }
  }
  for (; inner > 0; inner--) {
    let p = from;
    for (let j: usize = 0; j < 32; j += 4) {
      store<u32>(to + j, load<u32>(p));
      p += columnBytes;
    }
    from += innerBytes;
    to += 32;
  }
}

// @kernel
// Transposes matrices [rows, columns]. Arguments: from, to, rows, columns, batch bytes of `from` (those of `to` are a
// matrix's), batches, columns per chunk, chunks of columns.
export function transposeMatrix(a: usize, chunk: i32): void {
  const rows = load<i32>(a, 8), columns = load<i32>(a, 12);
  const perChunk = load<i32>(a, 24), columnChunks = load<i32>(a, 28);
  const batch = chunk / columnChunks;
  const first = (chunk % columnChunks) * perChunk;
  const end = min(first + perChunk, columns);
  const rowBytes = (<usize>columns) << 2, toRowBytes = (<usize>rows) << 2;
  const from: usize = <usize>load<u32>(a) + <usize>batch * load<u32>(a, 16);
  const to: usize = <usize>load<u32>(a, 4) + <usize>batch * <usize>rows * rowBytes;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    let source = from + <usize>row * rowBytes + ((<usize>first) << 2);
    let target = to + <usize>first * toRowBytes + ((<usize>row) << 2);
    let column = first;
    for (; column + 4 <= end; column += 4) {
      transpose4(source, rowBytes, target, toRowBytes);
      source += 16;
      target += 4 * toRowBytes;
    }
    for (; column < end; column++) {
      for (let r: usize = 0; r < 4; r++) store<u32>(target + 4 * r, load<u32>(source + r * rowBytes));
      source += 4;
      target += toRowBytes;
    }
  }
  for (; row < rows; row++) {
    for (let column = first; column < end; column++) {
      store<u32>(
        to + <usize>column * toRowBytes + ((<usize>row) << 2),
        load<u32>(from + <usize>row * rowBytes + ((<usize>column) << 2)),
      );
    }
  }
}
