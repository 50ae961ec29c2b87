// Weighted sums of windows along an axis of [outer, length, inner].

import { storeLanes } from './lanes';
import { tile } from './movement';
import { madd } from './simd';
import { scratch } from './thread';

/**
 * A window's sums of `columns` neighbours, over rows from `x` on that are `step` bytes apart. Taps of weight 0 and rows outside
 * the axis are not looked at.
 */
function sums(
  x: usize,
  step: usize,
  length: u32,
  weights: usize,
  taps: i32,
  start: i32,
  y: usize,
  columns: i32,
): void {
  const zero = f32x4.splat(0);
  let c = 0;
  for (; c + 16 <= columns; c += 16) {
    let sum0 = zero;
    let sum1 = zero;
    let sum2 = zero;
    let sum3 = zero;
    for (let t = 0; t < taps; t++) {
      const place = start + t;
      const tap = weights + (<usize>t << 2);
      if (load<f32>(tap) == 0 || <u32>place >= length) continue;
      const weight = v128.load32_splat(tap);
      const from = x + <usize>place * step + (<usize>c << 2);
      sum0 = madd(weight, v128.load(from), sum0);
      sum1 = madd(weight, v128.load(from, 16), sum1);
      sum2 = madd(weight, v128.load(from, 32), sum2);
      sum3 = madd(weight, v128.load(from, 48), sum3);
    }
    const to = y + (<usize>c << 2);
    v128.store(to, sum0);
    v128.store(to, sum1, 16);
    v128.store(to, sum2, 32);
    v128.store(to, sum3, 48);
  }
  for (; c < columns; c += 4) {
    let sum = zero;
    for (let t = 0; t < taps; t++) {
      const place = start + t;
      const tap = weights + (<usize>t << 2);
      if (load<f32>(tap) == 0 || <u32>place >= length) continue;
      const from = x + <usize>place * step + (<usize>c << 2);
      sum = madd(v128.load32_splat(tap), v128.load(from), sum);
    }
    storeLanes(y + (<usize>c << 2), sum, columns - c);
  }
}

// @kernel
// Rows of `inner` elements. Arguments: x, weights, starts, y, length of the axis, elements of it in y, taps, inner, units (rows
// of y), units per chunk.
export function resampleRows(a: usize, chunk: i32): void {
  const length = load<i32>(a, 16);
  const output = load<i32>(a, 20);
  const taps = load<i32>(a, 24);
  const inner = load<i32>(a, 28);
  const perChunk = load<i32>(a, 36);
  const step = <usize>inner << 2;
  const end = min((chunk + 1) * perChunk, load<i32>(a, 32));
  for (let row = chunk * perChunk; row < end; row++) {
    const i = row % output;
    const x = <usize>load<u32>(a) + <usize>(row / output) * length * step;
    const weights = <usize>load<u32>(a, 4) + (<usize>(i * taps) << 2);
    const start = load<i32>(<usize>load<u32>(a, 8) + (<usize>i << 2));
    const y = <usize>load<u32>(a, 12) + <usize>row * step;
    sums(x, step, length, weights, taps, start, y, inner);
  }
}

/** Bytes before a line along an axis of so many elements. */
function placeOf(line: i32, length: i32, inner: i32): usize {
  return <usize>((line / inner) * length * inner + (line % inner)) << 2;
}

/** Copies `count` elements to others, so many bytes apart. */
function spread(from: usize, fromStep: usize, to: usize, toStep: usize, count: i32): void {
  for (; count > 0; count--) {
    store<u32>(to, load<u32>(from));
    from += fromStep;
    to += toStep;
  }
}

// @kernel
// Few elements inside: lines along the axis are laid side by side in scratch memory, there summed, and taken back. Arguments:
// as resampleRows, but units are groups of lines; then lines, lines a group.
export function resampleLines(a: usize, chunk: i32): void {
  const length = load<i32>(a, 16);
  const output = load<i32>(a, 20);
  const taps = load<i32>(a, 24);
  const inner = load<i32>(a, 28);
  const group = load<i32>(a, 44);
  const perChunk = load<i32>(a, 36) * group;
  const step = <usize>group << 2;
  const apart = <usize>inner << 2;
  const from: usize = load<u32>(a);
  const to: usize = load<u32>(a, 12);
  const x = scratch();
  const y = x + <usize>length * step;
  const lines = load<i32>(a, 40);
  const end = min((chunk + 1) * perChunk, lines);
  for (let first = chunk * perChunk; first < end; first += group) {
    const count = min(group, lines - first);
    if (inner == 1) {
      tile(from + placeOf(first, length, 1), x, length, group << 2, count, length << 2);
    } else {
      for (let k = 0; k < count; k++) {
        spread(from + placeOf(first + k, length, inner), apart, x + (<usize>k << 2), step, length);
      }
    }
    for (let i = 0; i < output; i++) {
      const weights = <usize>load<u32>(a, 4) + (<usize>(i * taps) << 2);
      const start = load<i32>(<usize>load<u32>(a, 8) + (<usize>i << 2));
      sums(x, step, length, weights, taps, start, y + <usize>i * step, group);
    }
    if (inner == 1) {
      tile(y, to + placeOf(first, output, 1), count, output << 2, output, group << 2);
    } else {
      for (let k = 0; k < count; k++) {
        spread(y + (<usize>k << 2), step, to + placeOf(first + k, output, inner), apart, output);
      }
    }
  }
}
