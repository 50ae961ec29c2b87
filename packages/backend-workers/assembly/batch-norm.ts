// Batch normalisation of [outer, C, inner]. "Rows" are inner 1: channels last. Sums are made in doubles over blocks of
// `outer` (doubles.ts).

import { highDoubles, lowDoubles, storeSums, sumOfBlocks, total } from './doubles';
import { storeLanes } from './lanes';
import { madd } from './simd';

/** The element all others of its channel are counted from, so that a mean far from 0 costs no digits; 0 if not finite. */
// @ts-ignore: decorator
@inline
function pivots(at: usize): v128 {
  const value = v128.load(at);
  return v128.and(value, f32x4.eq(f32x4.sub(value, value), f32x4.splat(0)));
}

// @ts-ignore: decorator
@inline
function pivot(at: usize): f32 {
  const value = load<f32>(at);
  return value - value == 0 ? value : 0;
}

// @kernel
// Sums of x - pivot and of its square. Arguments: outer, C, inner (1), channels of a strip (a multiple of 8), strips, outer
// of a block, blocks, width of the sums, units per chunk (strips of blocks), x, sums.
export function sumRows(a: usize, chunk: i32): void {
  const outer = load<i32>(a);
  const C = load<i32>(a, 4);
  const strip = load<i32>(a, 12);
  const strips = load<i32>(a, 16);
  const perBlock = load<i32>(a, 20);
  const width = load<i32>(a, 28);
  const perChunk = load<i32>(a, 32);
  const x: usize = load<u32>(a, 36);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 24) * strips);
  const step = <usize>C << 2;
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const block = unit / strips;
    const first = (unit % strips) * strip;
    const last = min(first + strip, C);
    const rows = min(perBlock, outer - block * perBlock);
    for (let c = first; c < last; c += 4) {
      const origin = pivots(x + (<usize>c << 2));
      let at = x + (<usize>(block * perBlock * C + c) << 2);
      let sum0 = f64x2.splat(0);
      let sum1 = sum0;
      let square0 = sum0;
      let square1 = sum0;
      for (let i = 0; i < rows; i++) {
        const distance = f32x4.sub(v128.load(at), origin);
        const d0 = lowDoubles(distance);
        const d1 = highDoubles(distance);
        sum0 = f64x2.add(sum0, d0);
        sum1 = f64x2.add(sum1, d1);
        square0 = f64x2.add(square0, f64x2.mul(d0, d0));
        square1 = f64x2.add(square1, f64x2.mul(d1, d1));
        at += step;
      }
      storeSums(load<u32>(a, 40), block, width, c, sum0, sum1, square0, square1);
    }
  }
}

// @kernel
// As sumRows for planes: a strip is one channel.
export function sumPlanes(a: usize, chunk: i32): void {
  const outer = load<i32>(a);
  const C = load<i32>(a, 4);
  const inner = load<i32>(a, 8);
  const perBlock = load<i32>(a, 20);
  const width = load<i32>(a, 28);
  const perChunk = load<i32>(a, 32);
  const x: usize = load<u32>(a, 36);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 24) * C);
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const block = unit / C;
    const c = unit % C;
    const origin = pivot(x + (<usize>(c * inner) << 2));
    const origins = f32x4.splat(origin);
    const samples = min((block + 1) * perBlock, outer);
    let sum = f64x2.splat(0);
    let square = sum;
    let sumRest: f64 = 0;
    let squareRest: f64 = 0;
    for (let n = block * perBlock; n < samples; n++) {
      const plane = x + (<usize>((n * C + c) * inner) << 2);
      let i = 0;
      for (; i + 4 <= inner; i += 4) {
        const distance = f32x4.sub(v128.load(plane + (<usize>i << 2)), origins);
        const d0 = lowDoubles(distance);
        const d1 = highDoubles(distance);
        sum = f64x2.add(sum, f64x2.add(d0, d1));
        square = f64x2.add(square, f64x2.add(f64x2.mul(d0, d0), f64x2.mul(d1, d1)));
      }
      for (; i < inner; i++) {
        const distance = <f64>(load<f32>(plane + (<usize>i << 2)) - origin);
        sumRest += distance;
        squareRest += distance * distance;
      }
    }
    const to = <usize>load<u32>(a, 40) + (<usize>(block * 2 * width + c) << 3);
    store<f64>(to, total(sum) + sumRest);
    store<f64>(to + (<usize>width << 3), total(square) + squareRest);
  }
}

// @kernel
// Mean, variance, and what normalizes with them. Arguments: x, inner, sums, blocks, width, C, channels per chunk, elements of
// a channel, weight, bias, mean, variance, scale, shift, epsilon.
export function batchNormStatistics(a: usize, chunk: i32): void {
  const x: usize = load<u32>(a);
  const inner = load<i32>(a, 4);
  const sums: usize = load<u32>(a, 8);
  const blocks = load<i32>(a, 12);
  const width = load<i32>(a, 16);
  const perChunk = load<i32>(a, 24);
  const count = <f64>load<i32>(a, 28);
  const epsilon = <f64>load<f32>(a, 56);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 20));
  for (let c = chunk * perChunk; c < end; c++) {
    const offset = <usize>c << 2;
    const at = sums + (<usize>c << 3);
    const distance = sumOfBlocks(at, blocks, width) / count;
    const square = sumOfBlocks(at + (<usize>width << 3), blocks, width) / count;
    const mean = <f64>pivot(x + offset * inner) + distance;
    const variance = max(square - distance * distance, 0.0);
    const stored = <f32>mean;
    const scale = <f64>load<f32>(<usize>load<u32>(a, 32) + offset) / sqrt(variance + epsilon);
    store<f32>(<usize>load<u32>(a, 40) + offset, stored);
    store<f32>(<usize>load<u32>(a, 44) + offset, <f32>variance);
    store<f32>(<usize>load<u32>(a, 48) + offset, <f32>scale);
    // The shift makes up for the mean's rounding.
    const shift = <f64>load<f32>(<usize>load<u32>(a, 36) + offset) - (mean - <f64>stored) * scale;
    store<f32>(<usize>load<u32>(a, 52) + offset, <f32>shift);
  }
}

// @kernel
// scale = weight / sqrt(variance + epsilon). Arguments: C, channels per chunk, weight, variance, scale, epsilon.
export function batchNormScale(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 4);
  const end = min((chunk + 1) * perChunk, load<i32>(a));
  for (let c = chunk * perChunk; c < end; c++) {
    const offset = <usize>c << 2;
    const variance = <f64>load<f32>(<usize>load<u32>(a, 12) + offset);
    const scale =
      <f64>load<f32>(<usize>load<u32>(a, 8) + offset) / sqrt(variance + <f64>load<f32>(a, 20));
    store<f32>(<usize>load<u32>(a, 16) + offset, <f32>scale);
  }
}

// @kernel
// y = (x - mean) * scale + shift within bounds. Arguments: rows, C, inner (1), rows per chunk, x, y, mean, scale, shift, least,
// most.
export function normalizeRows(a: usize, chunk: i32): void {
  const C = load<i32>(a, 4);
  const perChunk = load<i32>(a, 12);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a));
  const mean: usize = load<u32>(a, 24);
  const scale: usize = load<u32>(a, 28);
  const shift: usize = load<u32>(a, 32);
  const least = f32x4.splat(load<f32>(a, 36));
  const most = f32x4.splat(load<f32>(a, 40));
  const rowBytes = <usize>C << 2;
  let x = <usize>load<u32>(a, 16) + <usize>first * rowBytes;
  let y = <usize>load<u32>(a, 20) + <usize>first * rowBytes;
  for (let row = first; row < end; row++) {
    for (let c = 0; c < C; c += 4) {
      const at = <usize>c << 2;
      const distance = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      const value = madd(distance, v128.load(scale + at), v128.load(shift + at));
      storeLanes(y + at, f32x4.pmin(f32x4.pmax(value, least), most), C - c);
    }
    x += rowBytes;
    y += rowBytes;
  }
}

// @kernel
// As normalizeRows for planes, units being planes.
export function normalizePlanes(a: usize, chunk: i32): void {
  const C = load<i32>(a, 4);
  const inner = load<i32>(a, 8);
  const perChunk = load<i32>(a, 12);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a));
  const least = f32x4.splat(load<f32>(a, 36));
  const most = f32x4.splat(load<f32>(a, 40));
  for (let plane = first; plane < end; plane++) {
    const channel = <usize>(plane % C) << 2;
    const mean = v128.load32_splat(<usize>load<u32>(a, 24) + channel);
    const scale = v128.load32_splat(<usize>load<u32>(a, 28) + channel);
    const shift = v128.load32_splat(<usize>load<u32>(a, 32) + channel);
    const offset = <usize>(plane * inner) << 2;
    const x = <usize>load<u32>(a, 16) + offset;
    const y = <usize>load<u32>(a, 20) + offset;
    for (let i = 0; i < inner; i += 4) {
      const at = <usize>i << 2;
      const value = madd(f32x4.sub(v128.load(x + at), mean), scale, shift);
      storeLanes(y + at, f32x4.pmin(f32x4.pmax(value, least), most), inner - i);
    }
  }
}
