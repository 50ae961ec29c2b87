// Folds a contiguous tensor over some of its axes. What is folded, and how, is given by functions; here is the order.
//
// Work is cut into items. An item is one element of the result (lines: the innermost axis is reduced) or a block of
// neighbouring ones (rows: it is kept), over one part of the outermost reduced axis. With several parts the items' results
// are accumulators, which a second command combines in order. Accumulators stay in scratch memory between calls of `fold`.

import { scratch } from './thread';

/** Folds `n` elements in a row (lines), or `n` rows of `columns` elements `stride` bytes apart, into `accumulators`. */
export type Fold = (x: usize, n: i32, stride: i32, columns: i32, accumulators: usize) => void;

/** Writes results to `y`, as accumulators if `divisor` is 0. */
export type Finish = (accumulators: usize, columns: i32, y: usize, divisor: f64) => void;

/**
 * Arguments: x, y, items, items per chunk, parts' length, then of the reduced axes from the outermost in: length and stride of
 * the first, length and stride of the second, length and stride of the last (the first is also the last if the flag `only`
 * is 1); rows at a time, divisor, columns, columns at a time, bytes of an accumulator, bytes of y's elements, rank of what is
 * kept (without the columns), its lengths..., its strides... Lengths are in elements, strides in bytes.
 */
export function reduce(a: usize, chunk: i32, identity: v128, fold: Fold, finish: Finish): void {
  const items = load<i32>(a, 8);
  const perChunk = load<i32>(a, 12);
  const partLength = load<i32>(a, 16);
  const firstLength = load<i32>(a, 20);
  const firstStride = load<i32>(a, 24);
  const secondLength = load<i32>(a, 28);
  const secondStride = load<i32>(a, 32);
  const lastLength = load<i32>(a, 36);
  const lastStride = load<i32>(a, 40);
  const only = load<i32>(a, 44) != 0;
  const atATime = load<i32>(a, 48);
  const divisor = <f64>load<u32>(a, 52);
  const columns = load<i32>(a, 56);
  const blockColumns = load<i32>(a, 60);
  const accumulatorBytes = load<i32>(a, 64);
  const bytes = load<i32>(a, 68);
  const rank = load<i32>(a, 72);
  const lengths = a + 76;
  const strides = lengths + (<usize>rank << 2);

  let kept = 1;
  for (let i = 0; i < rank; i++) kept *= load<i32>(lengths + (<usize>i << 2));
  const blocks = (columns + blockColumns - 1) / blockColumns;
  const accumulators = scratch();
  const end = min((chunk + 1) * perChunk, items);
  for (let item = chunk * perChunk; item < end; item++) {
    const line = item / blocks;
    const column = (item - line * blocks) * blockColumns;
    const width = min(blockColumns, columns - column);
    const part = line / kept;
    let x = <usize>load<u32>(a) + column * 4 + part * partLength * firstStride;
    let index = line - part * kept;
    const y = <usize>load<u32>(a, 4) + (<usize>line * columns + column) * bytes;
    for (let at = <usize>(rank - 1) << 2; index > 0; at -= 4) {
      const length = load<i32>(lengths + at);
      const quotient = index / length;
      x += (index - quotient * length) * load<i32>(strides + at);
      index = quotient;
    }

    const room = max(64, ((width + 15) & ~15) * accumulatorBytes);
    for (let i = 0; i < room; i += 16) v128.store(accumulators + i, identity);
    const extent = min(partLength, firstLength - part * partLength);
    const outer = only ? 1 : extent;
    const n = only ? extent : lastLength;
    for (let i = 0; i < outer; i++) {
      for (let j = 0; j < secondLength; j++) {
        const from = x + i * firstStride + j * secondStride;
        for (let done = 0; done < n; done += atATime) {
          fold(from + done * lastStride, min(atATime, n - done), lastStride, width, accumulators);
        }
      }
    }
    finish(accumulators, width, y, divisor);
  }
}
