// Maxima of windows of [N, H, W, C], with or without their places, and the gradient that goes to these places.

import { storeLanes } from './lanes';
import { fail } from './thread';
import { firstInside } from './windows';

/** src/failure.ts: indexOutOfRange. */
const INDEX_OUT_OF_RANGE = 1;

// @kernel
// Arguments: 17 words of windows.ts, x, y.
export function maxPool(a: usize, chunk: i32): void {
  pool(a, chunk, false);
}

// @kernel
// Arguments: 17 words of windows.ts, x, y, indices.
export function maxPoolPlaces(a: usize, chunk: i32): void {
  pool(a, chunk, true);
}

// @ts-ignore: decorator
@inline
function pool(a: usize, chunk: i32, places: bool): void {
  const C = load<i32>(a);
  const H = load<i32>(a, 4);
  const W = load<i32>(a, 8);
  const outHeight = load<i32>(a, 12);
  const outWidth = load<i32>(a, 16);
  const kernelWidth = load<i32>(a, 24);
  const dilationH = load<i32>(a, 44);
  const dilationW = load<i32>(a, 48);
  const reachH = (load<i32>(a, 20) - 1) * dilationH + 1;
  const reachW = (kernelWidth - 1) * dilationW + 1;
  const pairs = reachH == 2 && reachW == 2;
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
    const top = (row % outHeight) * load<i32>(a, 28) - load<i32>(a, 36);
    const h0 = firstInside(top, dilationH);
    const hEnd = min(H, top + reachH);
    let out: usize = (<usize>row * outWidth * C + <usize>channel) << 2;
    let left = -load<i32>(a, 40);
    for (let column = 0; column < outWidth; column++) {
      const w0 = firstInside(left, dilationW);
      const wEnd = min(W, left + reachW);
      const y = <usize>load<u32>(a, 72) + out;
      if (places) {
        const indices = <usize>load<u32>(a, 76) + out;
        if (pairs && hEnd - h0 == 2 && wEnd - w0 == 2) {
          fourWithPlaces(image, y, indices, h0 * W + w0, W, C, channels);
        } else {
          withPlaces(image, y, indices, h0, hEnd, dilationH, w0, wEnd, dilationW, W, C, channels);
        }
      } else {
        maxima(image, y, h0, hEnd, dilationH, w0, wEnd, dilationW, W, C, channels);
      }
      out += <usize>C << 2;
      left += load<i32>(a, 32);
    }
  }
}

/** Lanes where `value` replaces `best`: it is larger, or the first NaN. */
// @ts-ignore: decorator
@inline
function wins(value: v128, best: v128): v128 {
  return v128.andnot(f32x4.eq(best, best), f32x4.le(value, best));
}

/** Windows of 2 x 2 inside the image. `place` is that of the first element. */
function fourWithPlaces(
  image: usize,
  y: usize,
  indices: usize,
  place: i32,
  W: i32,
  C: i32,
  channels: i32,
): void {
  const from = image + ((<usize>place * C) << 2);
  const below = from + ((<usize>W * C) << 2);
  const pixel = <usize>C << 2;
  const place0 = i32x4.splat(place);
  const place1 = i32x4.splat(place + 1);
  const place2 = i32x4.splat(place + W);
  const place3 = i32x4.splat(place + W + 1);
  for (let c = 0; c < channels; c += 4) {
    const offset = <usize>c << 2;
    let best = v128.load(from + offset);
    let value = v128.load(from + pixel + offset);
    let won = wins(value, best);
    best = v128.bitselect(value, best, won);
    let at = v128.bitselect(place1, place0, won);
    value = v128.load(below + offset);
    won = wins(value, best);
    best = v128.bitselect(value, best, won);
    at = v128.bitselect(place2, at, won);
    value = v128.load(below + pixel + offset);
    won = wins(value, best);
    storeLanes(y + offset, v128.bitselect(value, best, won), channels - c);
    storeLanes(indices + offset, v128.bitselect(place3, at, won), channels - c);
  }
}

function withPlaces(
  image: usize,
  y: usize,
  indices: usize,
  h0: i32,
  hEnd: i32,
  dilationH: i32,
  w0: i32,
  wEnd: i32,
  dilationW: i32,
  W: i32,
  C: i32,
  channels: i32,
): void {
  const step = <usize>(dilationW * C) << 2;
  const empty = h0 >= hEnd || w0 >= wEnd;
  for (let c = 0; c < channels; c += 4) {
    let best = f32x4.splat(-Infinity);
    let at = i32x4.splat(-1);
    if (!empty) {
      // The first element stands for its window even where it is -Infinity.
      at = i32x4.splat(h0 * W + w0);
      best = v128.load(image + (<usize>((h0 * W + w0) * C + c) << 2));
      for (let h = h0; h < hEnd; h += dilationH) {
        let from = image + (<usize>((h * W + w0) * C + c) << 2);
        for (let w = w0; w < wEnd; w += dilationW) {
          const value = v128.load(from);
          const won = wins(value, best);
          best = v128.bitselect(value, best, won);
          at = v128.bitselect(i32x4.splat(h * W + w), at, won);
          from += step;
        }
      }
    }
    const offset = <usize>c << 2;
    storeLanes(y + offset, best, channels - c);
    storeLanes(indices + offset, at, channels - c);
  }
}

function maxima(
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
): void {
  const step = <usize>(dilationW * C) << 2;
  let c = 0;
  for (; c + 16 <= channels; c += 16) {
    let best0 = f32x4.splat(-Infinity);
    let best1 = best0;
    let best2 = best0;
    let best3 = best0;
    for (let h = h0; h < hEnd; h += dilationH) {
      let from = image + (<usize>((h * W + w0) * C + c) << 2);
      for (let w = w0; w < wEnd; w += dilationW) {
        best0 = f32x4.max(best0, v128.load(from));
        best1 = f32x4.max(best1, v128.load(from, 16));
        best2 = f32x4.max(best2, v128.load(from, 32));
        best3 = f32x4.max(best3, v128.load(from, 48));
        from += step;
      }
    }
    const to = y + (<usize>c << 2);
    v128.store(to, best0);
    v128.store(to, best1, 16);
    v128.store(to, best2, 32);
    v128.store(to, best3, 48);
  }
  for (; c < channels; c += 4) {
    let best = f32x4.splat(-Infinity);
    for (let h = h0; h < hEnd; h += dilationH) {
      let from = image + (<usize>((h * W + w0) * C + c) << 2);
      for (let w = w0; w < wEnd; w += dilationW) {
        best = f32x4.max(best, v128.load(from));
        from += step;
      }
    }
    storeLanes(y + (<usize>c << 2), best, channels - c);
  }
}

// @kernel
// Adds gradients at places. A unit is a block of an image's channels, so that no element has two writers. Arguments: gradient,
// indices, y, images, C, pixels of an image of y and of the gradient, channels of a block, blocks, units per chunk.
export function maxPoolGradient(a: usize, chunk: i32): void {
  const C = load<i32>(a, 16);
  const plane = load<u32>(a, 20);
  const outPlane = load<i32>(a, 24);
  const block = load<i32>(a, 28);
  const blocks = load<i32>(a, 32);
  const perChunk = load<i32>(a, 36);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 12) * blocks);
  const pixel = <usize>C << 2;
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const image = unit / blocks;
    const channel = (unit % blocks) * block;
    const channels = min(block, C - channel);
    const y = <usize>load<u32>(a, 8) + ((<usize>image * plane * C + <usize>channel) << 2);
    if (channels == C) {
      memory.fill(y, 0, <usize>plane * pixel);
    } else {
      for (let i: u32 = 0; i < plane; i++) memory.fill(y + <usize>i * pixel, 0, channels << 2);
    }
    let offset = (<usize>image * outPlane * C + <usize>channel) << 2;
    for (let i = 0; i < outPlane; i++) {
      const gradients = <usize>load<u32>(a) + offset;
      const indices = <usize>load<u32>(a, 4) + offset;
      for (let c = 0; c < channels; c++) {
        const at = <usize>c << 2;
        const place = load<i32>(indices + at);
        if (<u32>place < plane) {
          const to = y + <usize>place * pixel + at;
          store<f32>(to, load<f32>(to) + load<f32>(gradients + at));
        } else if (place >= 0) {
          fail(a, INDEX_OUT_OF_RANGE, place);
        }
      }
      offset += pixel;
    }
  }
}
