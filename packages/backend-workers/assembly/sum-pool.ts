// Sums of windows of [N, H, W, C] over a divisor, and their gradient. A window's rows are summed by themselves first, which
// keeps the error of large windows small.

import { storeLanes } from './lanes';
import { divisorOf, firstInside } from './windows';

// @kernel
// Arguments: 17 words of windows.ts, x, y, and 6 of the divisor: whether to count, else the number; counted padding.
export function sumPool(a: usize, chunk: i32): void {
  const C = load<i32>(a);
  const H = load<i32>(a, 4);
  const W = load<i32>(a, 8);
  const outHeight = load<i32>(a, 12);
  const outWidth = load<i32>(a, 16);
  const dilationH = load<i32>(a, 44);
  const dilationW = load<i32>(a, 48);
  const reachH = (load<i32>(a, 20) - 1) * dilationH + 1;
  const reachW = (load<i32>(a, 24) - 1) * dilationW + 1;
  const block = load<i32>(a, 56);
  const blocks = load<i32>(a, 60);
  const perChunk = load<i32>(a, 64);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 52) * blocks);
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const row = unit / blocks;
    const channel = (unit % blocks) * block;
    const channels = min(block, C - channel);
    const image =
      <usize>load<u32>(a, 68) + ((<usize>(row / outHeight) * H * W * C + <usize>channel) << 2);
    const outRow = row % outHeight;
    const top = outRow * load<i32>(a, 28) - load<i32>(a, 36);
    const h0 = firstInside(top, dilationH);
    const hEnd = min(H, top + reachH);
    let y = <usize>load<u32>(a, 72) + ((<usize>row * outWidth * C + <usize>channel) << 2);
    let left = -load<i32>(a, 40);
    for (let column = 0; column < outWidth; column++) {
      const w0 = firstInside(left, dilationW);
      const wEnd = min(W, left + reachW);
      const divisor = f32x4.splat(divisorOf(a, a + 76, outRow, column));
      sums(image, y, h0, hEnd, dilationH, w0, wEnd, dilationW, W, C, channels, divisor);
      y += <usize>C << 2;
      left += load<i32>(a, 32);
    }
  }
}

function sums(
  image: usize,
  y: usize,
  h0: i32,
  hEnd: i32,
  dilationH: i32,
  w0: i32,
  wEnd: i32,
  dilationW: i32,
  W: i32,
  C: i32,
  channels: i32,
  divisor: v128,
): void {
  const step = <usize>(dilationW * C) << 2;
  const zero = f32x4.splat(0);
  let c = 0;
  for (; c + 16 <= channels; c += 16) {
    let sum0 = zero;
    let sum1 = zero;
    let sum2 = zero;
    let sum3 = zero;
    for (let h = h0; h < hEnd; h += dilationH) {
      let from = image + (<usize>((h * W + w0) * C + c) << 2);
      let line0 = zero;
      let line1 = zero;
      let line2 = zero;
      let line3 = zero;
      for (let w = w0; w < wEnd; w += dilationW) {
        line0 = f32x4.add(line0, v128.load(from));
        line1 = f32x4.add(line1, v128.load(from, 16));
        line2 = f32x4.add(line2, v128.load(from, 32));
        line3 = f32x4.add(line3, v128.load(from, 48));
        from += step;
      }
      sum0 = f32x4.add(sum0, line0);
      sum1 = f32x4.add(sum1, line1);
      sum2 = f32x4.add(sum2, line2);
      sum3 = f32x4.add(sum3, line3);
    }
    const to = y + (<usize>c << 2);
    v128.store(to, f32x4.div(sum0, divisor));
    v128.store(to, f32x4.div(sum1, divisor), 16);
    v128.store(to, f32x4.div(sum2, divisor), 32);
    v128.store(to, f32x4.div(sum3, divisor), 48);
  }
  for (; c < channels; c += 4) {
    let sum = zero;
    for (let h = h0; h < hEnd; h += dilationH) {
      let from = image + (<usize>((h * W + w0) * C + c) << 2);
      let line = zero;
      for (let w = w0; w < wEnd; w += dilationW) {
        line = f32x4.add(line, v128.load(from));
        from += step;
      }
      sum = f32x4.add(sum, line);
    }
    storeLanes(y + (<usize>c << 2), f32x4.div(sum, divisor), channels - c);
  }
}

// @kernel
// Each window's gradient over its divisor. Arguments: as sumPool, x and y both of the pooled size.
export function poolShares(a: usize, chunk: i32): void {
  const C = load<i32>(a);
  const outHeight = load<i32>(a, 12);
  const outWidth = load<i32>(a, 16);
  const block = load<i32>(a, 56);
  const blocks = load<i32>(a, 60);
  const perChunk = load<i32>(a, 64);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 52) * blocks);
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const row = unit / blocks;
    const channel = (unit % blocks) * block;
    const channels = min(block, C - channel);
    let offset = (<usize>row * outWidth * C + <usize>channel) << 2;
    for (let column = 0; column < outWidth; column++) {
      const divisor = f32x4.splat(divisorOf(a, a + 76, row % outHeight, column));
      const from = <usize>load<u32>(a, 68) + offset;
      const to = <usize>load<u32>(a, 72) + offset;
      for (let c = 0; c < channels; c += 4) {
        const at = <usize>c << 2;
        storeLanes(to + at, f32x4.div(v128.load(from + at), divisor), channels - c);
      }
      offset += <usize>C << 2;
    }
  }
}

/** The first of the windows that reach `place`, which is counted from the padding's edge. */
// @ts-ignore: decorator
@inline
function firstWindow(place: i32, reach: i32, stride: i32): i32 {
  return place < reach ? 0 : (place - reach) / stride + 1;
}

// @kernel
// Each element gathers the shares of its windows. Arguments: 17 words of windows.ts (rows of the larger images), shares, y,
// what to divide by.
export function sumPoolGradient(a: usize, chunk: i32): void {
  const C = load<i32>(a);
  const H = load<i32>(a, 4);
  const W = load<i32>(a, 8);
  const outHeight = load<i32>(a, 12);
  const outWidth = load<i32>(a, 16);
  const strideH = load<i32>(a, 28);
  const strideW = load<i32>(a, 32);
  const dilationH = load<i32>(a, 44);
  const dilationW = load<i32>(a, 48);
  const reachH = (load<i32>(a, 20) - 1) * dilationH + 1;
  const reachW = (load<i32>(a, 24) - 1) * dilationW + 1;
  const block = load<i32>(a, 56);
  const blocks = load<i32>(a, 60);
  const perChunk = load<i32>(a, 64);
  const divisor = f32x4.splat(load<f32>(a, 76));
  const end = min((chunk + 1) * perChunk, load<i32>(a, 52) * blocks);
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const row = unit / blocks;
    const channel = (unit % blocks) * block;
    const channels = min(block, C - channel);
    const image =
      <usize>load<u32>(a, 68) +
      ((<usize>(row / H) * outHeight * outWidth * C + <usize>channel) << 2);
    const h = (row % H) + load<i32>(a, 36);
    const h0 = firstWindow(h, reachH, strideH);
    const hEnd = min(outHeight, h / strideH + 1);
    let y = <usize>load<u32>(a, 72) + ((<usize>row * W * C + <usize>channel) << 2);
    for (let column = 0; column < W; column++) {
      const w = column + load<i32>(a, 40);
      const w0 = firstWindow(w, reachW, strideW);
      const wEnd = min(outWidth, w / strideW + 1);
      for (let c = 0; c < channels; c += 4) {
        let sum = f32x4.splat(0);
        for (let oh = h0; oh < hEnd; oh++) {
          if (dilationH != 1 && (h - oh * strideH) % dilationH != 0) continue;
          for (let ow = w0; ow < wEnd; ow++) {
            if (dilationW != 1 && (w - ow * strideW) % dilationW != 0) continue;
            sum = f32x4.add(sum, v128.load(image + (<usize>((oh * outWidth + ow) * C + c) << 2)));
          }
        }
        storeLanes(y + (<usize>c << 2), f32x4.div(sum, divisor), channels - c);
      }
      y += <usize>C << 2;
    }
  }
}
