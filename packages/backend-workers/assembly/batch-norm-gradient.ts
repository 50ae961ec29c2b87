// The gradient of batch normalisation with the statistics of the batch; layout as in batch-norm.ts.

import { highDoubles, lowDoubles, storeSums, sumOfBlocks, total } from './doubles';
import { storeLanes } from './lanes';
import { madd } from './simd';

// @kernel
// Sums of the gradient g and of g * (x - mean). Arguments: 9 words of sumRows, g, x, mean, sums.
export function gradientSumRows(a: usize, chunk: i32): void {
  const outer = load<i32>(a);
  const C = load<i32>(a, 4);
  const strip = load<i32>(a, 12);
  const strips = load<i32>(a, 16);
  const perBlock = load<i32>(a, 20);
  const perChunk = load<i32>(a, 32);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 24) * strips);
  const step = <usize>C << 2;
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const block = unit / strips;
    const first = (unit % strips) * strip;
    const last = min(first + strip, C);
    const rows = min(perBlock, outer - block * perBlock);
    for (let c = first; c < last; c += 4) {
      const mean = v128.load(<usize>load<u32>(a, 44) + (<usize>c << 2));
      let offset = <usize>(block * perBlock * C + c) << 2;
      let sum0 = f64x2.splat(0);
      let sum1 = sum0;
      let product0 = sum0;
      let product1 = sum0;
      for (let i = 0; i < rows; i++) {
        const g = v128.load(<usize>load<u32>(a, 36) + offset);
        const distance = f32x4.sub(v128.load(<usize>load<u32>(a, 40) + offset), mean);
        const product = f32x4.mul(g, distance);
        sum0 = f64x2.add(sum0, lowDoubles(g));
        sum1 = f64x2.add(sum1, highDoubles(g));
        product0 = f64x2.add(product0, lowDoubles(product));
        product1 = f64x2.add(product1, highDoubles(product));
        offset += step;
      }
      storeSums(load<u32>(a, 48), block, load<i32>(a, 28), c, sum0, sum1, product0, product1);
    }
  }
}

// @kernel
// As gradientSumRows for planes: a strip is one channel.
export function gradientSumPlanes(a: usize, chunk: i32): void {
  const outer = load<i32>(a);
  const C = load<i32>(a, 4);
  const inner = load<i32>(a, 8);
  const perBlock = load<i32>(a, 20);
  const width = load<i32>(a, 28);
  const perChunk = load<i32>(a, 32);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 24) * C);
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const block = unit / C;
    const c = unit % C;
    const centre = load<f32>(<usize>load<u32>(a, 44) + (<usize>c << 2));
    const centres = f32x4.splat(centre);
    const samples = min((block + 1) * perBlock, outer);
    let sum = f64x2.splat(0);
    let product = sum;
    let sumRest: f64 = 0;
    let productRest: f64 = 0;
    for (let n = block * perBlock; n < samples; n++) {
      const offset = <usize>((n * C + c) * inner) << 2;
      const gradients = <usize>load<u32>(a, 36) + offset;
      const x = <usize>load<u32>(a, 40) + offset;
      let i = 0;
      for (; i + 4 <= inner; i += 4) {
        const at = <usize>i << 2;
        const g = v128.load(gradients + at);
        const p = f32x4.mul(g, f32x4.sub(v128.load(x + at), centres));
        sum = f64x2.add(sum, f64x2.add(lowDoubles(g), highDoubles(g)));
        product = f64x2.add(product, f64x2.add(lowDoubles(p), highDoubles(p)));
      }
      for (; i < inner; i++) {
        const at = <usize>i << 2;
        const g = load<f32>(gradients + at);
        sumRest += <f64>g;
        productRest += <f64>(g * (load<f32>(x + at) - centre));
      }
    }
    const to = <usize>load<u32>(a, 48) + (<usize>(block * 2 * width + c) << 3);
    store<f64>(to, total(sum) + sumRest);
    store<f64>(to + (<usize>width << 3), total(product) + productRest);
  }
}

// @kernel
// The gradients of weight and bias, and what makes that of x: average, negated slope and scale. Arguments: sums, blocks,
// width, C, channels per chunk, elements of a channel, weight, variance, gradients of weight and bias, average, slope, scale,
// epsilon.
export function batchNormGradientSums(a: usize, chunk: i32): void {
  const blocks = load<i32>(a, 4);
  const width = load<i32>(a, 8);
  const perChunk = load<i32>(a, 16);
  const count = <f64>load<i32>(a, 20);
  const epsilon = <f64>load<f32>(a, 52);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 12));
  for (let c = chunk * perChunk; c < end; c++) {
    const offset = <usize>c << 2;
    const at = <usize>load<u32>(a) + (<usize>c << 3);
    const sum = sumOfBlocks(at, blocks, width);
    const product = sumOfBlocks(at + (<usize>width << 3), blocks, width);
    const variance = <f64>load<f32>(<usize>load<u32>(a, 28) + offset);
    const inverse = 1 / sqrt(variance + epsilon);
    const weight = <f64>load<f32>(<usize>load<u32>(a, 24) + offset);
    store<f32>(<usize>load<u32>(a, 32) + offset, <f32>(product * inverse));
    store<f32>(<usize>load<u32>(a, 36) + offset, <f32>sum);
    store<f32>(<usize>load<u32>(a, 40) + offset, <f32>(sum / count));
    store<f32>(<usize>load<u32>(a, 44) + offset, <f32>((-product * inverse * inverse) / count));
    store<f32>(<usize>load<u32>(a, 48) + offset, <f32>(weight * inverse));
  }
}

/** (g - average - (x - mean) * slope) * scale, the slope negated. */
// @ts-ignore: decorator
@inline
function gradientOf(g: v128, x: v128, mean: v128, average: v128, slope: v128, scale: v128): v128 {
  return f32x4.mul(madd(f32x4.sub(x, mean), slope, f32x4.sub(g, average)), scale);
}

// @kernel
// The gradient of x. Arguments: rows, C, inner (1), rows per chunk, g, x, gradient of x, mean, average, negated slope, scale.
export function batchNormGradientRows(a: usize, chunk: i32): void {
  const C = load<i32>(a, 4);
  const perChunk = load<i32>(a, 12);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a));
  const mean: usize = load<u32>(a, 28);
  const average: usize = load<u32>(a, 32);
  const slope: usize = load<u32>(a, 36);
  const scale: usize = load<u32>(a, 40);
  let offset = <usize>(first * C) << 2;
  for (let row = first; row < end; row++) {
    const g = <usize>load<u32>(a, 16) + offset;
    const x = <usize>load<u32>(a, 20) + offset;
    const y = <usize>load<u32>(a, 24) + offset;
    for (let c = 0; c < C; c += 4) {
      const at = <usize>c << 2;
      const value = gradientOf(
        v128.load(g + at),
        v128.load(x + at),
        v128.load(mean + at),
        v128.load(average + at),
        v128.load(slope + at),
        v128.load(scale + at),
      );
      storeLanes(y + at, value, C - c);
    }
    offset += <usize>C << 2;
  }
}

// @kernel
// As batchNormGradientRows for planes, units being planes.
export function batchNormGradientPlanes(a: usize, chunk: i32): void {
  const C = load<i32>(a, 4);
  const inner = load<i32>(a, 8);
  const perChunk = load<i32>(a, 12);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a));
  for (let plane = first; plane < end; plane++) {
    const channel = <usize>(plane % C) << 2;
    const mean = v128.load32_splat(<usize>load<u32>(a, 28) + channel);
    const average = v128.load32_splat(<usize>load<u32>(a, 32) + channel);
    const slope = v128.load32_splat(<usize>load<u32>(a, 36) + channel);
    const scale = v128.load32_splat(<usize>load<u32>(a, 40) + channel);
    const offset = <usize>(plane * inner) << 2;
    const g = <usize>load<u32>(a, 16) + offset;
    const x = <usize>load<u32>(a, 20) + offset;
    const y = <usize>load<u32>(a, 24) + offset;
    for (let i = 0; i < inner; i += 4) {
      const at = <usize>i << 2;
      const value = gradientOf(v128.load(g + at), v128.load(x + at), mean, average, slope, scale);
      storeLanes(y + at, value, inner - i);
    }
  }
}
