// Strided copies in several axes: by rows, or by tiles where the innermost axis of the target is not that of the source.
// Elements are moved as bits. Axes are words (length, step in the source, step in the target), innermost first, in bytes.

import { storeLanes } from './lanes';
import { scratch } from './thread';

// @kernel
// Arguments: from, to, row length, steps of an element in a row in the source and in the target (in elements), elements of a
// segment, segments a row, units (segments of rows), units per chunk, count of outer axes, axes.
export function copyRows(a: usize, chunk: i32): void {
  rows<u32>(a, chunk);
}

// @kernel
// As copyRows.
export function copyRowsOfBytes(a: usize, chunk: i32): void {
  rows<u8>(a, chunk);
}

function rows<T>(a: usize, chunk: i32): void {
  const length = load<i32>(a, 8);
  const fromStep = load<i32>(a, 12);
  const toStep = load<i32>(a, 16);
  const segment = load<i32>(a, 20);
  const segments = load<i32>(a, 24);
  const perChunk = load<i32>(a, 32);
  const axes = a + 40;
  const axesEnd = axes + <usize>load<i32>(a, 36) * 12;
  let unit = chunk * perChunk;
  const end = min(unit + perChunk, load<i32>(a, 28));

  // The row's index along each outer axis is kept in scratch memory.
  let from: usize = load<u32>(a);
  let to: usize = load<u32>(a, 4);
  let rest = unit / segments;
  let begin = (unit % segments) * segment;
  const counters = scratch();
  let counter = counters;
  for (let axis = axes; axis < axesEnd; axis += 12) {
    const index = rest % load<i32>(axis);
    rest /= load<i32>(axis);
    from += <usize>(index * load<i32>(axis, 4));
    to += <usize>(index * load<i32>(axis, 8));
    store<i32>(counter, index);
    counter += 4;
  }
  for (; unit < end; unit++) {
    row<T>(
      from + <usize>(begin * fromStep) * sizeof<T>(),
      to + <usize>(begin * toStep) * sizeof<T>(),
      min(segment, length - begin),
      fromStep,
      toStep,
    );
    begin += segment;
    if (begin < length) continue;
    begin = 0;
    counter = counters;
    for (let axis = axes; axis < axesEnd; axis += 12) {
      const index = load<i32>(counter) + 1;
      from += <usize>load<i32>(axis, 4);
      to += <usize>load<i32>(axis, 8);
      if (index < load<i32>(axis)) {
        store<i32>(counter, index);
        break;
      }
      from -= <usize>(index * load<i32>(axis, 4));
      to -= <usize>(index * load<i32>(axis, 8));
      store<i32>(counter, 0);
      counter += 4;
    }
  }
}

// @ts-ignore: decorator
@inline
function row<T>(from: usize, to: usize, count: i32, fromStep: i32, toStep: i32): void {
  if (toStep == 1 && fromStep == 1) {
    // The call that a bulk copy is costs as much as 64 bytes.
    if (<usize>count * sizeof<T>() > 256) memory.copy(to, from, <usize>count * sizeof<T>());
    else shortRow<T>(from, to, count);
  } else if (toStep == 1 && fromStep == 0) {
    if (sizeof<T>() == 1) {
      memory.fill(to, load<u8>(from), count);
    } else {
      const value = v128.load32_splat(from);
      for (let i = 0; i < count; i += 4) storeLanes(to + (<usize>i << 2), value, count - i);
    }
  } else if (sizeof<T>() == 4 && toStep == 1 && fromStep == -1) {
    let i = 0;
    for (; i + 4 <= count; i += 4) {
      const four = v128.load(from - <usize>((i + 3) << 2));
      v128.store(to + (<usize>i << 2), v128.shuffle<i32>(four, four, 3, 2, 1, 0));
    }
    for (; i < count; i++) store<u32>(to + (<usize>i << 2), load<u32>(from - <usize>(i << 2)));
  } else {
    const fromBytes = fromStep * <i32>sizeof<T>();
    const toBytes = toStep * <i32>sizeof<T>();
    for (let i = 0; i < count; i++) {
      store<T>(to, load<T>(from));
      from += <usize>fromBytes;
      to += <usize>toBytes;
    }
  }
}

// @ts-ignore: decorator
@inline
function shortRow<T>(from: usize, to: usize, count: i32): void {
  if (sizeof<T>() == 4) {
    for (let i = 0; i < count; i += 4) {
      const at = <usize>i << 2;
      storeLanes(to + at, v128.load(from + at), count - i);
    }
  } else {
    let i = 0;
    for (; i + 16 <= count; i += 16) v128.store(to + <usize>i, v128.load(from + <usize>i));
    for (; i < count; i++) store<u8>(to + <usize>i, load<u8>(from + <usize>i));
  }
}

// @kernel
// `rows` are neighbours in the source, `columns` in the target. Arguments: from, to, rows, step of a row in the target,
// columns, step of a column in the source (steps in bytes), rows and columns of a block (multiples of 4), blocks along the
// rows and along the columns, units (blocks), units per chunk, count of outer axes, axes.
export function copyTiles(a: usize, chunk: i32): void {
  tiles<u32>(a, chunk);
}

// @kernel
// As copyTiles.
export function copyTilesOfBytes(a: usize, chunk: i32): void {
  tiles<u8>(a, chunk);
}

function tiles<T>(a: usize, chunk: i32): void {
  const rowCount = load<i32>(a, 8);
  const toStep = load<i32>(a, 12);
  const columnCount = load<i32>(a, 16);
  const fromStep = load<i32>(a, 20);
  const blockRows = load<i32>(a, 24);
  const blockColumns = load<i32>(a, 28);
  const rowBlocks = load<i32>(a, 32);
  const columnBlocks = load<i32>(a, 36);
  const perChunk = load<i32>(a, 44);
  const axes = a + 52;
  const axesEnd = axes + <usize>load<i32>(a, 48) * 12;
  const end = min((chunk + 1) * perChunk, load<i32>(a, 40));
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const column = (unit % columnBlocks) * blockColumns;
    let rest = unit / columnBlocks;
    const row = (rest % rowBlocks) * blockRows;
    rest /= rowBlocks;
    let from: usize = <usize>load<u32>(a) + <usize>(column * fromStep) + <usize>row * sizeof<T>();
    let to: usize = <usize>load<u32>(a, 4) + <usize>(row * toStep) + <usize>column * sizeof<T>();
    for (let axis = axes; axis < axesEnd; axis += 12) {
      const index = rest % load<i32>(axis);
      rest /= load<i32>(axis);
      from += <usize>(index * load<i32>(axis, 4));
      to += <usize>(index * load<i32>(axis, 8));
    }
    const height = min(blockRows, rowCount - row);
    const width = min(blockColumns, columnCount - column);
    if (sizeof<T>() == 4) tile(from, to, height, toStep, width, fromStep);
    else tileOfBytes(from, to, height, toStep, width, fromStep);
  }
}

function tileOfBytes(from: usize, to: usize, height: i32, toStep: i32, width: i32, fromStep: i32): void {
  for (let i = 0; i < height; i++) {
    let source = from + <usize>i;
    for (let j = 0; j < width; j++) {
      store<u8>(to + <usize>j, load<u8>(source));
      source += <usize>fromStep;
    }
    to += <usize>toStep;
  }
}

/**
 * Rows are neighbours in the source, columns in the target; steps in bytes. By squares of 4 x 4; at the edges the last column
 * stands in for those that are not there.
 */
export function tile(from: usize, to: usize, height: i32, toStep: i32, width: i32, fromStep: i32): void {
  for (let i = 0; i < height; i += 4) {
    const rest = height - i;
    let source = from + (<usize>i << 2);
    let target = to + <usize>(i * toStep);
    for (let j = 0; j < width; j += 4) {
      const columns = width - j;
      const step1 = columns > 1 ? <usize>fromStep : 0;
      const step2 = columns > 2 ? <usize>(fromStep << 1) : 0;
      const step3 = columns > 3 ? <usize>(fromStep * 3) : 0;
      const a = v128.load(source);
      const b = v128.load(source + step1);
      const c = v128.load(source + step2);
      const d = v128.load(source + step3);
      const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
      const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
      const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
      const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
      storeLanes(target, v128.shuffle<i64>(ab0, cd0, 0, 2), columns);
      if (rest > 1) storeLanes(target + <usize>toStep, v128.shuffle<i64>(ab0, cd0, 1, 3), columns);
      if (rest > 2) {
        storeLanes(target + <usize>(toStep << 1), v128.shuffle<i64>(ab1, cd1, 0, 2), columns);
      }
      if (rest > 3) {
        storeLanes(target + <usize>(toStep * 3), v128.shuffle<i64>(ab1, cd1, 1, 3), columns);
      }
      source += <usize>(fromStep << 2);
      target += 16;
    }
  }
}
