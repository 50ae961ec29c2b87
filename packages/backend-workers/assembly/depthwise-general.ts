// Depthwise convolution where no fast kernel fits: any kernel, stride, dilation and multiplier, zeros between input elements;
// the packing of filters, and the sums that end the gradient of a filter.
//
// Along an axis, output o and tap k meet element i where i * between = o * stride + k * step - low.

import { madd } from './simd';

// @kernel
// Filter [C * shares][taps] to [C/4][taps][shares][4], turned by 180 degrees where `turned`. A chunk packs blocks of 4.
// Arguments: filter, packed, C, taps, shares, turned, blocks per chunk.
export function packDepthwise(a: usize, chunk: i32): void {
  const filter: usize = load<u32>(a), packed: usize = load<u32>(a, 4);
  const c = load<i32>(a, 8), taps = load<i32>(a, 12), shares = load<i32>(a, 16), turned = load<i32>(a, 20);
  const perChunk = load<i32>(a, 24);
  const first = chunk * perChunk, end = min(first + perChunk, (c + 3) >> 2);
  let to: usize = packed + ((<usize>(first * taps) * shares) << 4);
  for (let block = first; block < end; block++) {
    for (let tap = 0; tap < taps; tap++) {
      const source = turned ? taps - 1 - tap : tap;
      for (let share = 0; share < shares; share++) {
        for (let lane = 0; lane < 4; lane++) {
          const channel = (block << 2) + lane;
          let value: f32 = 0;
          if (channel < c) value = load<f32>(filter + (<usize>((channel * shares + share) * taps + source) << 2));
          store<f32>(to, value);
          to += 4;
        }
      }
    }
  }
}

/** The first tap from `position` = o * stride - low on that meets an element; `taps` where none does. */
function firstTap(position: i32, taps: i32, step: i32, between: i32): i32 {
  let k = position < 0 ? (step - 1 - position) / step : 0;
  if (between > 1) while (k < taps && (position + k * step) % between != 0) k++;
  return min(k, taps);
}

/** How many taps from `tap` on meet an element, one in each `tapStep`, with elements `elementStep` apart. */
function countTaps(tap: i32, taps: i32, tapStep: i32, element: i32, size: i32, elementStep: i32): i32 {
  if (tap >= taps || element >= size) return 0;
  return min((taps - 1 - tap) / tapStep, (size - 1 - element) / elementStep) + 1;
}

/** Channels (o + lane) * up / down + share of the pixel at `from`, for four lanes; those from `count` on repeat the last. */
function gather(from: usize, o: i32, count: i32, up: i32, down: i32, share: i32): v128 {
  const last = count - 1;
  const c1 = min(o + 1, last), c2 = min(o + 2, last), c3 = min(o + 3, last);
  let v = v128.load32_zero(from + (<usize>((o * up) / down + share) << 2));
  v = v128.load32_lane(from + (<usize>((c1 * up) / down + share) << 2), v, 1);
  v = v128.load32_lane(from + (<usize>((c2 * up) / down + share) << 2), v, 2);
  return v128.load32_lane(from + (<usize>((c3 * up) / down + share) << 2), v, 3);
}

function storeSome(to: usize, value: v128, lanes: i32): void {
  if (lanes >= 4) {
    v128.store(to, value);
    return;
  }
  v128.store32_lane(to, value, 0);
  if (lanes > 1) v128.store32_lane(to, value, 1, 4);
  if (lanes > 2) v128.store32_lane(to, value, 2, 8);
}

// @kernel
// Output channel o is the sum over taps and shares of input channel o * up / down + share times its weight.
// Arguments: x, filter (packed), bias, residual or 0, y, channels read, channels written, up, down, shares, height and width
// read, height and width written, taps y and x, padding top and left, stride y and x, dilation y and x, distance of input
// elements y and x, tap steps y and x, element steps y and x, pixels, pixels per chunk, lower and upper bound.
export function depthwiseGeneral(a: usize, chunk: i32): void {
  const x: usize = load<u32>(a), filter: usize = load<u32>(a, 4), bias: usize = load<u32>(a, 8);
  const residual: usize = load<u32>(a, 12), y: usize = load<u32>(a, 16);
  const inputs = load<i32>(a, 20), outputs = load<i32>(a, 24);
  const up = load<i32>(a, 28), down = load<i32>(a, 32), shares = load<i32>(a, 36);
  const h = load<i32>(a, 40), w = load<i32>(a, 44), outH = load<i32>(a, 48), outW = load<i32>(a, 52);
  const tapsY = load<i32>(a, 56), tapsX = load<i32>(a, 60), top = load<i32>(a, 64), left = load<i32>(a, 68);
  const strideY = load<i32>(a, 72), strideX = load<i32>(a, 76), stepY = load<i32>(a, 80), stepX = load<i32>(a, 84);
  const betweenY = load<i32>(a, 88), betweenX = load<i32>(a, 92);
  const tapStepY = load<i32>(a, 96), tapStepX = load<i32>(a, 100);
  const elementStepY = load<i32>(a, 104), elementStepX = load<i32>(a, 108);
  const perChunk = load<i32>(a, 116), first = chunk * perChunk, end = min(first + perChunk, load<i32>(a, 112));
  const lo = f32x4.splat(load<f32>(a, 120)), hi = f32x4.splat(load<f32>(a, 124));
  const direct = up == 1 && down == 1;
  const pixel: usize = <usize>inputs << 2;
  const tap: usize = <usize>shares << 4;
  const across: usize = <usize>elementStepX * pixel, tapAcross: usize = <usize>tapStepX * tap;

  for (let p = first; p < end; p++) {
    const outX = p % outW, row = p / outW, outY = row % outH, image = row / outH;
    const positionY = outY * strideY - top, positionX = outX * strideX - left;
    const ky = firstTap(positionY, tapsY, stepY, betweenY), kx = firstTap(positionX, tapsX, stepX, betweenX);
    const inY = (positionY + ky * stepY) / betweenY, inX = (positionX + kx * stepX) / betweenX;
    const countX = countTaps(kx, tapsX, tapStepX, inX, w, elementStepX);
    const countY = countX ? countTaps(ky, tapsY, tapStepY, inY, h, elementStepY) : 0;
    const corner: usize = x + <usize>((image * h + inY) * w + inX) * pixel;
    const down1: usize = <usize>(elementStepY * w) * pixel, tapDown: usize = <usize>(tapStepY * tapsX) * tap;
    const to: usize = y + ((<usize>p * outputs) << 2);
    let weights: usize = filter + <usize>(ky * tapsX + kx) * tap;
    for (let o = 0; o < outputs; o += 4) {
      let sum = v128.load(bias + (<usize>o << 2));
      let rowAt = corner, tapRow = weights;
      for (let i = 0; i < countY; i++) {
        let at = rowAt, tapAt = tapRow;
        for (let j = 0; j < countX; j++) {
          if (direct) {
            sum = madd(v128.load(at + (<usize>o << 2)), v128.load(tapAt), sum);
          } else {
            for (let share = 0; share < shares; share++) {
              const v = gather(at, o, outputs, up, down, share);
              sum = madd(v, v128.load(tapAt + (<usize>share << 4)), sum);
            }
          }
          at += across;
          tapAt += tapAcross;
        }
        rowAt += down1;
        tapRow += tapDown;
      }
      const place = to + (<usize>o << 2);
      if (residual) sum = f32x4.add(sum, v128.load(residual + (place - y)));
      storeSome(place, f32x4.pmin(f32x4.pmax(sum, lo), hi), outputs - o);
      weights += <usize>(tapsY * tapsX) * tap;
    }
  }
}

// @kernel
// Sums over some rows of the output for each tap and output channel o, of input channel o / multiplier: a chunk's sums
// [C/4][taps][4]. Arguments: x, gradient, sums, inputs, outputs, multiplier, height and width, height and width of the
// output, taps y and x, padding top and left, stride y and x, dilation y and x, distance of input elements y and x, steps
// between outputs that meet an element along x, between those elements, rows, rows per chunk.
export function depthwiseTapSums(a: usize, chunk: i32): void {
  const x: usize = load<u32>(a), gradient: usize = load<u32>(a, 4);
  const inputs = load<i32>(a, 12), outputs = load<i32>(a, 16), multiplier = load<i32>(a, 20);
  const h = load<i32>(a, 24), w = load<i32>(a, 28), outH = load<i32>(a, 32), outW = load<i32>(a, 36);
  const tapsY = load<i32>(a, 40), tapsX = load<i32>(a, 44), top = load<i32>(a, 48), left = load<i32>(a, 52);
  const strideY = load<i32>(a, 56), strideX = load<i32>(a, 60), stepY = load<i32>(a, 64), stepX = load<i32>(a, 68);
  const betweenY = load<i32>(a, 72), betweenX = load<i32>(a, 76);
  const outStep = load<i32>(a, 80), elementStep = load<i32>(a, 84);
  const perChunk = load<i32>(a, 92), firstRow = chunk * perChunk, endRow = min(firstRow + perChunk, load<i32>(a, 88));
  const taps = tapsY * tapsX, blocks = (outputs + 3) >> 2;
  const sums: usize = load<u32>(a, 8) + (<usize>(chunk * blocks) * taps << 4);
  memory.fill(sums, 0, <usize>(blocks * taps) << 4);
  const pixel: usize = <usize>inputs << 2, outPixel: usize = <usize>outputs << 2;
  const across: usize = <usize>elementStep * pixel, outAcross: usize = <usize>outStep * outPixel;
  for (let row = firstRow; row < endRow; row++) {
    const image = row / outH, outY = row % outH;
    for (let ky = 0; ky < tapsY; ky++) {
      const positionY = outY * strideY + ky * stepY - top;
      if (positionY < 0 || positionY % betweenY != 0 || positionY / betweenY >= h) continue;
      const plane: usize = x + <usize>((image * h + positionY / betweenY) * w) * pixel;
      for (let kx = 0; kx < tapsX; kx++) {
        const offset = kx * stepX - left;
        let outX = offset < 0 ? (strideX - 1 - offset) / strideX : 0;
        while (outX < outW && (outX * strideX + offset) % betweenX != 0) outX++;
        const inX = (outX * strideX + offset) / betweenX;
        const count = countTaps(outX, outW, outStep, inX, w, elementStep);
        if (count == 0) continue;
        const from: usize = plane + <usize>inX * pixel;
        const g: usize = gradient + <usize>(row * outW + outX) * outPixel;
        for (let o = 0; o < outputs; o += 4) {
          let sum = f32x4.splat(0), at = from, gradientAt = g + (<usize>o << 2);
          for (let i = 0; i < count; i++) {
            const v = multiplier == 1 ? v128.load(at + (<usize>o << 2)) : gather(at, o, outputs, 1, multiplier, 0);
            sum = madd(v, v128.load(gradientAt), sum);
            at += across;
            gradientAt += outAcross;
          }
          const place: usize = sums + (<usize>((o >> 2) * taps + ky * tapsX + kx) << 4);
          v128.store(place, f32x4.add(v128.load(place), sum));
        }
      }
    }
  }
}

// @kernel
// Adds the sums of all chunks, in order, and writes [C][taps]. Arguments: sums, filter, C, taps, count of sums, blocks of 4
// channels per chunk.
export function addTapSums(a: usize, chunk: i32): void {
  const sums: usize = load<u32>(a), filter: usize = load<u32>(a, 4);
  const c = load<i32>(a, 8), taps = load<i32>(a, 12), parts = load<i32>(a, 16), perChunk = load<i32>(a, 20);
  const blocks = (c + 3) >> 2, size: usize = <usize>(blocks * taps) << 4;
  const first = chunk * perChunk, end = min(first + perChunk, blocks);
  for (let block = first; block < end; block++) {
    for (let tap = 0; tap < taps; tap++) {
      let at: usize = sums + (<usize>(block * taps + tap) << 4);
      let low = f64x2.splat(0), high = f64x2.splat(0);
      for (let i = 0; i < parts; i++) {
        const v = v128.load(at);
        low = f64x2.add(low, f64x2.promote_low_f32x4(v));
        high = f64x2.add(high, f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)));
        at += size;
      }
      const to: usize = filter + (<usize>((block << 2) * taps + tap) << 2);
      const next: usize = <usize>taps << 2, lanes = c - (block << 2);
      store<f32>(to, <f32>f64x2.extract_lane(low, 0));
      if (lanes > 1) store<f32>(to + next, <f32>f64x2.extract_lane(low, 1));
      if (lanes > 2) store<f32>(to + 2 * next, <f32>f64x2.extract_lane(high, 0));
      if (lanes > 3) store<f32>(to + 3 * next, <f32>f64x2.extract_lane(high, 1));
    }
  }
}
