// Gradient with respect to an input of few channels. Panels of 8 would stand half empty, and padding would be multiplied; so
// each pixel of the output's gradient times the whole filter is written out, [pixels][taps * C], and gathered here.

import { block } from './gemm';
import { scratch } from './thread';
import { prepare } from './tiles';

/** Channels of the input at most: two vectors. */
const MOST_CHANNELS = 8;

// @kernel
// Filter [O][C][taps] to panels [taps * C / 8][O][8], filled up with zeros. Arguments: filter, panels, O, C, taps, panels a
// chunk.
export function packTapColumns(a: usize, chunk: i32): void {
  const filter: usize = load<u32>(a);
  const outputs = load<i32>(a, 8), c = load<i32>(a, 12), taps = load<i32>(a, 16), perChunk = load<i32>(a, 20);
  const columns = taps * c;
  const first = chunk * perChunk * 8, end = min(first + perChunk * 8, (columns + 7) & ~7);
  for (let column = first; column < end; column++) {
    const tap = column / c;
    let from: usize = filter + (<usize>((column - tap * c) * taps + tap) << 2);
    let to: usize = <usize>load<u32>(a, 4) + (<usize>((column >> 3) * outputs * 8 + (column & 7)) << 2);
    for (let output = 0; output < outputs; output++) {
      store<f32>(to, column < columns ? load<f32>(from) : 0);
      from += <usize>columns << 2;
      to += 32;
    }
  }
}

// @kernel
// Adds up, for each input pixel, the products [output pixels][taps * C] that belong to it. Arguments: products, out, C, height,
// width, output height, output width, taps y and x, padding top and left, stride y and x, dilation y and x, pixels of the
// input, pixels a chunk.
export function gatherTaps(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 64), first = chunk * perChunk;
  gather(a, load<u32>(a), load<u32>(a, 4), first, min(first + perChunk, load<i32>(a, 60)));
}

/** Words of gatherTaps' arguments. */
const GATHER_WORDS: usize = 17;
/** Words of gemm's arguments, of which this is the place of y. */
const PRODUCT_WORDS: usize = 26;
const PRODUCT_Y: usize = 28;
/** Where in scratch memory, behind what products need there, the arguments of a product and its result are. */
const ARGUMENTS: usize = 1024;
const PRODUCTS: usize = 2048;

// @kernel
// Both steps, image by image, with the products in scratch memory. Arguments: those of gatherTaps, for all images (products and
// pixels a chunk unused), those of gemm, of which a batch is an image (y unused), images a chunk.
export function spreadTaps(a: usize, chunk: i32): void {
  const product = a + (GATHER_WORDS << 2), base = scratch();
  const perChunk = load<i32>(product, PRODUCT_WORDS << 2), first = chunk * perChunk;
  const pixels = load<i32>(a, 12) * load<i32>(a, 16);
  const imageBytes: usize = <usize>(pixels * load<i32>(a, 8)) << 2;
  const end = min(first + perChunk, load<i32>(a, 60) / pixels);
  const m = load<i32>(product, 48), n = load<i32>(product, 52);
  memory.copy(base + ARGUMENTS, product, PRODUCT_WORDS << 2);
  store<u32>(base + ARGUMENTS + PRODUCT_Y, <u32>(base + PRODUCTS));
  prepare(base);
  for (let image = first; image < end; image++) {
    block(base + ARGUMENTS, image, 0, m, 0, n);
    gather(a, base + PRODUCTS, <usize>load<u32>(a, 4) + <usize>image * imageBytes, 0, pixels);
  }
}

/** Pixels `first` to `end` of what stands at `out`. */
function gather(a: usize, products: usize, out: usize, first: i32, end: i32): void {
  const c = load<i32>(a, 8), h = load<i32>(a, 12), w = load<i32>(a, 16), outH = load<i32>(a, 20), outW = load<i32>(a, 24);
  const tapsY = load<i32>(a, 28), tapsX = load<i32>(a, 32), top = load<i32>(a, 36), left = load<i32>(a, 40);
  const strideY = load<i32>(a, 44), strideX = load<i32>(a, 48), stepY = load<i32>(a, 52), stepX = load<i32>(a, 56);
  const pixelBytes: usize = <usize>(tapsY * tapsX * c) << 2;
  const next: usize = (<usize>c << 2) - <usize>stepX * pixelBytes;
  let to: usize = out + (<usize>(first * c) << 2);
  for (let p = first; p < end; p++) {
    const row = p / w, image = row / h;
    const y = row - image * h + top, x = p - row * w + left;
    // Earlier taps lie beyond the last output.
    const beyond = x - (outW - 1) * strideX;
    const firstX = beyond > 0 ? (beyond + stepX - 1) / stepX : 0;
    const meeting = x - firstX * stepX;
    const count = meeting < 0 ? 0 : min(tapsX - firstX, meeting / stepX + 1);
    let low = f32x4.splat(0), high = low;
    for (let ky = 0; ky < tapsY; ky++) {
      const atY = y - ky * stepY;
      if (atY < 0) break;
      if (strideY > 1 && atY % strideY != 0) continue;
      const outY = strideY > 1 ? atY / strideY : atY;
      if (outY >= outH) continue;
      const rowAt: usize = products + <usize>((image * outH + outY) * outW) * pixelBytes;
      let atX = meeting;
      let tap: usize = <usize>((ky * tapsX + firstX) * c) << 2;
      if (strideX == 1) {
        let from: usize = rowAt + <usize>atX * pixelBytes + tap;
        for (let i = 0; i < count; i++, from += next) {
          low = f32x4.add(low, v128.load(from));
          high = f32x4.add(high, v128.load(from, 16));
        }
        continue;
      }
      for (let kx = firstX; kx < tapsX && atX >= 0; kx++) {
        if (atX % strideX == 0) {
          const from = rowAt + <usize>(atX / strideX) * pixelBytes + tap;
          low = f32x4.add(low, v128.load(from));
          high = f32x4.add(high, v128.load(from, 16));
        }
        tap += <usize>c << 2;
        atX -= stepX;
      }
    }
    if (c >= 4) v128.store(to, low);
    else storeSome(to, low, c);
    if (c > 4) {
      if (c == MOST_CHANNELS) v128.store(to, high, 16);
      else storeSome(to + 16, high, c - 4);
    }
    to += <usize>c << 2;
  }
}

function storeSome(to: usize, value: v128, lanes: i32): void {
  v128.store32_lane(to, value, 0);
  if (lanes > 1) v128.store32_lane(to, value, 1, 4);
  if (lanes > 2) v128.store32_lane(to, value, 2, 8);
}
