// Running sums, and sorting along an axis.

import { storeLanes } from './lanes';
import { scratch } from './thread';

// @kernel
// Running sums in float64 down columns of [outer, length, inner], four at a time. Arguments: x, y, groups of columns in all,
// groups per chunk, length, inner, groups an outer index.
export function cumsum(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const inner = load<i32>(a, 20);
  const groups = load<i32>(a, 24);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 8));
  const stride = <usize>inner << 2;
  for (let group = chunk * perChunk; group < end; group++) {
    const outer = group / groups;
    const column = (group - outer * groups) << 2;
    const offset = (<usize>outer * length * inner + column) << 2;
    let x = <usize>load<u32>(a) + offset;
    let y = <usize>load<u32>(a, 4) + offset;
    if (inner == 1) {
      let sum: f64 = 0;
      for (let i = 0; i < length; i++, x += 4, y += 4) {
        sum += <f64>load<f32>(x);
        store<f32>(y, <f32>sum);
      }
      continue;
    }
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    for (let i = 0; i < length; i++, x += stride, y += stride) {
      const v = v128.load(x);
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(v));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(i64x2.shuffle(v, v, 1, 1)));
      const sums = i64x2.shuffle(f32x4.demote_f64x2_zero(s0), f32x4.demote_f64x2_zero(s1), 0, 2);
      storeLanes(y, sums, inner - column);
    }
  }
}

/** Lines up to this long are sorted by insertion: counting bytes would cost more. */
const SHORT: i32 = 32;

/** Unsigned keys in the order of the values: -0 as 0, every NaN last. Negative float32 order against their bits. */
// @ts-ignore: decorator
@inline
function keyOf(bits: u32, float: bool): u32 {
  if (!float) return bits ^ 0x80000000;
  if ((bits & 0x7fffffff) > 0x7f800000) return 0xffffffff;
  if (bits == 0x80000000) return 0x80000000;
  return bits >> 31 ? ~bits : bits | 0x80000000;
}

// @kernel
// Lines of [outer, length, inner], stably. Arguments: x, values, indices, lines, lines per chunk, length, inner, whether float32,
// whether descending, workspace, bytes of it per chunk (16 an element of a line).
export function sort(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 16);
  const length = load<i32>(a, 20);
  const inner = load<i32>(a, 24);
  const float = load<i32>(a, 28) != 0;
  const turn: u32 = load<i32>(a, 32) ? 0xffffffff : 0;
  const end = min((chunk + 1) * perChunk, load<i32>(a, 12));
  const stride = <usize>inner << 2;
  const room = <usize>load<u32>(a, 36) + <usize>chunk * load<u32>(a, 40);
  const spare = room + (<usize>length << 3);
  for (let line = chunk * perChunk; line < end; line++) {
    const outer = line / inner;
    const offset = (<usize>outer * length * inner + (line - outer * inner)) << 2;
    const x = <usize>load<u32>(a) + offset;
    for (let i = 0, at = x, to = room; i < length; i++, at += stride, to += 8) {
      store<u32>(to, keyOf(load<u32>(at), float) ^ turn);
      store<u32>(to, i, 4);
    }
    const sorted = length <= SHORT ? insertionSort(room, length) : radixSort(room, spare, length);
    // All values are picked before one is stored: they may replace x.
    const picked = sorted == room ? spare : room;
    for (let i = 0; i < length; i++) {
      const from = load<u32>(sorted + (<usize>i << 3), 4);
      store<u32>(picked + (<usize>i << 2), load<u32>(x + from * stride));
    }
    let values = <usize>load<u32>(a, 4) + offset;
    let indices = <usize>load<u32>(a, 8) + offset;
    for (let i = 0; i < length; i++, values += stride, indices += stride) {
      store<u32>(values, load<u32>(picked + (<usize>i << 2)));
      store<u32>(indices, load<u32>(sorted + (<usize>i << 3), 4));
    }
  }
}

/** Sorts pairs of key and index by key, stably and in place. */
function insertionSort(pairs: usize, length: i32): usize {
  for (let i = 1; i < length; i++) {
    const at = pairs + (<usize>i << 3);
    const pair = load<u64>(at);
    let to = at;
    for (; to > pairs && load<u32>(to - 8) > <u32>pair; to -= 8) store<u64>(to, load<u64>(to - 8));
    store<u64>(to, pair);
  }
  return pairs;
}

/** The same, a byte of the key at a time from the lowest; returns which of the two places the result lies in. */
function radixSort(pairs: usize, spare: usize, length: i32): usize {
  const counts = scratch();
  memory.fill(counts, 0, 4096);
  const end = pairs + (<usize>length << 3);
  for (let at = pairs; at < end; at += 8) {
    const key = load<u32>(at);
    for (let digit = 0; digit < 4; digit++) {
      const count = counts + (<usize>digit << 10) + (((key >> (digit << 3)) & 255) << 2);
      store<u32>(count, load<u32>(count) + 1);
    }
  }
  let from = pairs;
  let to = spare;
  const any = load<u32>(pairs);
  for (let digit = 0; digit < 4; digit++) {
    const shift = digit << 3;
    const own = counts + (<usize>digit << 10);
    // All keys have this byte in common.
    if (load<u32>(own + (((any >> shift) & 255) << 2)) == <u32>length) continue;
    let place = to;
    for (let i = 0; i < 1024; i += 4) {
      const count = load<u32>(own + i);
      store<u32>(own + i, place);
      place += <usize>count << 3;
    }
    const last = from + (<usize>length << 3);
    for (let at = from; at < last; at += 8) {
      const next = own + (((load<u32>(at) >> shift) & 255) << 2);
      const target = load<u32>(next);
      store<u64>(target, load<u64>(at));
      store<u32>(next, target + 8);
    }
    const other = from;
    from = to;
    to = other;
  }
  return from;
}
