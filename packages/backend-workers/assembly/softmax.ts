// Softmax and its logarithm, along lines (the innermost axis) and down columns (any other axis, 64 columns at a time), and
// the loss that is fused with it. Sums of exponentials are kept in float64. A maximum that is infinite or NaN gives NaN.

import { storeLanes } from './lanes';
import { exp, expBelow, log } from './math';
import { firstLanes } from './tails';
import { fail, scratch } from './thread';

const INDEX_OUT_OF_RANGE: i32 = 1;

// @ts-ignore: decorator
@inline
function largestLane(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

// @ts-ignore: decorator
@inline
function highHalf(v: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(v, v, 1, 1));
}

/** The largest element in all lanes. NaN is passed over: the exponentials will not. */
function largest(x: usize, length: i32): v128 {
  const lowest = f32x4.splat(-Infinity);
  let m0 = lowest;
  let m1 = lowest;
  let m2 = lowest;
  let m3 = lowest;
  let n = length;
  for (; n >= 16; n -= 16, x += 64) {
    m0 = f32x4.pmax(m0, v128.load(x));
    m1 = f32x4.pmax(m1, v128.load(x, 16));
    m2 = f32x4.pmax(m2, v128.load(x, 32));
    m3 = f32x4.pmax(m3, v128.load(x, 48));
  }
  for (; n > 0; n -= 4, x += 16) {
    m0 = f32x4.pmax(m0, v128.bitselect(v128.load(x), lowest, firstLanes(n)));
  }
  return f32x4.splat(largestLane(f32x4.pmax(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3))));
}

/**
 * Sum of e^(x - most). What is left in `y`, the exponentials or the differences, is in the cache for the pass that follows.
 * Of 16 neighbours each lane adds its four in float32, and these sums are added in float64.
 */
// @ts-ignore: decorator
@inline
function sumOfPowers(x: usize, y: usize, length: i32, most: v128, logarithm: bool): f64 {
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let n = length;
  for (; n >= 16; n -= 16, x += 64, y += 64) {
    const d0 = f32x4.sub(v128.load(x), most), p0 = expBelow(d0);
    const d1 = f32x4.sub(v128.load(x, 16), most), p1 = expBelow(d1);
    const d2 = f32x4.sub(v128.load(x, 32), most), p2 = expBelow(d2);
    const d3 = f32x4.sub(v128.load(x, 48), most), p3 = expBelow(d3);
    v128.store(y, logarithm ? d0 : p0);
    v128.store(y, logarithm ? d1 : p1, 16);
    v128.store(y, logarithm ? d2 : p2, 32);
    v128.store(y, logarithm ? d3 : p3, 48);
    const power = f32x4.add(f32x4.add(p0, p1), f32x4.add(p2, p3));
    s0 = f64x2.add(s0, f64x2.promote_low_f32x4(power));
    s1 = f64x2.add(s1, highHalf(power));
  }
  for (; n > 0; n -= 4, x += 16, y += 16) {
    const difference = f32x4.sub(v128.load(x), most);
    const power = v128.and(expBelow(difference), firstLanes(n));
    storeLanes(y, logarithm ? difference : power, n);
    s0 = f64x2.add(s0, f64x2.promote_low_f32x4(power));
    s1 = f64x2.add(s1, highHalf(power));
  }
  const s = f64x2.add(s0, s1);
  return f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
}

// @kernel
// Arguments: x, y, lines, lines per chunk, length.
export function softmax(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a, 8));
  const bytes = <usize>length << 2;
  let x = <usize>load<u32>(a) + <usize>first * bytes;
  let y = <usize>load<u32>(a, 4) + <usize>first * bytes;
  for (let line = first; line < end; line++, x += bytes, y += bytes) {
    const sum = sumOfPowers(x, y, length, largest(x, length), false);
    const scale = f32x4.splat(<f32>(1 / sum));
    let at = y;
    let n = length;
    for (; n >= 8; n -= 8, at += 32) {
      v128.store(at, f32x4.mul(v128.load(at), scale));
      v128.store(at, f32x4.mul(v128.load(at, 16), scale), 16);
    }
    for (; n > 0; n -= 4, at += 16) storeLanes(at, f32x4.mul(v128.load(at), scale), n);
  }
}

// @ts-ignore: decorator
@inline
function logSoftmaxLine(x: usize, y: usize, length: i32): void {
  const sum = sumOfPowers(x, y, length, largest(x, length), true);
  const shift = log(f32x4.splat(<f32>sum));
  let n = length;
  for (; n >= 8; n -= 8, y += 32) {
    v128.store(y, f32x4.sub(v128.load(y), shift));
    v128.store(y, f32x4.sub(v128.load(y, 16), shift), 16);
  }
  for (; n > 0; n -= 4, y += 16) storeLanes(y, f32x4.sub(v128.load(y), shift), n);
}

// @kernel
// Arguments: x, y, lines, lines per chunk, length.
export function logSoftmax(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a, 8));
  const bytes = <usize>length << 2;
  let x = <usize>load<u32>(a) + <usize>first * bytes;
  let y = <usize>load<u32>(a, 4) + <usize>first * bytes;
  for (let line = first; line < end; line++, x += bytes, y += bytes) logSoftmaxLine(x, y, length);
}

/** Columns side by side that are worked on together: four cache lines of a row. */
const GROUP: i32 = 64;
/** Where in scratch memory the maxima (then shifts or scales) and the sums of a group lie. */
const SUMS: usize = 256;

/** Columns of [outer, length, inner], in groups of 64 neighbours of `inner`, or what is left of them. */
// @ts-ignore: decorator
@inline
function columns(a: usize, chunk: i32, logarithm: bool): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const inner = load<i32>(a, 20);
  const groups = load<i32>(a, 24);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 8));
  const stride = <usize>inner << 2;
  const maxima = scratch();
  const sums = maxima + SUMS;
  for (let group = chunk * perChunk; group < end; group++) {
    const outer = group / groups;
    const column = (group - outer * groups) * GROUP;
    const width = min(GROUP, inner - column);
    const offset = (<usize>outer * length * inner + column) << 2;
    const x = <usize>load<u32>(a) + offset;
    const y = <usize>load<u32>(a, 4) + offset;
    for (let j: usize = 0; j < SUMS; j += 16) v128.store(maxima + j, f32x4.splat(-Infinity));
    memory.fill(sums, 0, 2 * SUMS);
    for (let i = 0, row = x; i < length; i++, row += stride) {
      for (let j = 0; j < width; j += 4) {
        const at = <usize>j << 2;
        v128.store(maxima + at, f32x4.pmax(v128.load(maxima + at), v128.load(row + at)));
      }
    }
    for (let i = 0, row = x, to = y; i < length; i++, row += stride, to += stride) {
      for (let j = 0; j < width; j += 4) {
        const at = <usize>j << 2;
        const power = expBelow(f32x4.sub(v128.load(row + at), v128.load(maxima + at)));
        if (!logarithm) storeLanes(to + at, power, width - j);
        const sum = sums + 2 * at;
        v128.store(sum, f64x2.add(v128.load(sum), f64x2.promote_low_f32x4(power)));
        v128.store(sum, f64x2.add(v128.load(sum, 16), highHalf(power)), 16);
      }
    }
    for (let j = 0; j < width; j += 4) {
      const at = <usize>j << 2;
      let s0 = v128.load(sums + 2 * at);
      let s1 = v128.load(sums + 2 * at, 16);
      if (!logarithm) {
        s0 = f64x2.div(f64x2.splat(1), s0);
        s1 = f64x2.div(f64x2.splat(1), s1);
      }
      const s = i64x2.shuffle(f32x4.demote_f64x2_zero(s0), f32x4.demote_f64x2_zero(s1), 0, 2);
      v128.store(sums + at, logarithm ? log(s) : s);
    }
    for (let i = 0, row = x, to = y; i < length; i++, row += stride, to += stride) {
      for (let j = 0; j < width; j += 4) {
        const at = <usize>j << 2;
        const s = v128.load(sums + at);
        if (logarithm) {
          const shifted = f32x4.sub(v128.load(row + at), v128.load(maxima + at));
          storeLanes(to + at, f32x4.sub(shifted, s), width - j);
        } else {
          storeLanes(to + at, f32x4.mul(v128.load(to + at), s), width - j);
        }
      }
    }
  }
}

// @kernel
// Arguments: x, y, groups of columns in all, groups per chunk, length, inner, groups an outer index.
export function softmaxColumns(a: usize, chunk: i32): void {
  columns(a, chunk, false);
}

// @kernel
// Arguments: as softmaxColumns.
export function logSoftmaxColumns(a: usize, chunk: i32): void {
  columns(a, chunk, true);
}

// @kernel
// Arguments: logits, log-probabilities, rows, rows per chunk, classes a row, class indices, losses.
export function softmaxCrossEntropy(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a, 8));
  const bytes = <usize>length << 2;
  let x = <usize>load<u32>(a) + <usize>first * bytes;
  let y = <usize>load<u32>(a, 4) + <usize>first * bytes;
  let target = <usize>load<u32>(a, 20) + (<usize>first << 2);
  let loss = <usize>load<u32>(a, 24) + (<usize>first << 2);
  for (let row = first; row < end; row++, x += bytes, y += bytes, target += 4, loss += 4) {
    logSoftmaxLine(x, y, length);
    const index = load<i32>(target);
    if (<u32>index < <u32>length) {
      store<f32>(loss, -load<f32>(y + (<usize>index << 2)));
    } else {
      fail(a, INDEX_OUT_OF_RANGE, index);
      store<f32>(loss, NaN);
    }
  }
}

// @kernel
// Arguments: log-probabilities, y, rows, rows per chunk, classes a row, class indices, gradient.
export function softmaxCrossEntropyGradient(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 12);
  const length = load<i32>(a, 16);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a, 8));
  const bytes = <usize>length << 2;
  let x = <usize>load<u32>(a) + <usize>first * bytes;
  let y = <usize>load<u32>(a, 4) + <usize>first * bytes;
  let target = <usize>load<u32>(a, 20) + (<usize>first << 2);
  let gradient = <usize>load<u32>(a, 24) + (<usize>first << 2);
  for (let row = first; row < end; row++, x += bytes, y += bytes, target += 4, gradient += 4) {
    const scale = v128.load32_splat(gradient);
    const index = i32x4.splat(load<i32>(target));
    for (let i = 0; i < length; i += 4) {
      const at = <usize>i << 2;
      const here = i32x4.eq(i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3)), index);
      const power = exp(v128.load(x + at));
      const difference = f32x4.sub(power, v128.and(here, f32x4.splat(1)));
      storeLanes(y + at, f32x4.mul(difference, scale), length - i);
    }
  }
}
