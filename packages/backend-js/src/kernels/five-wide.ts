// Convolution with kernels five wide and stride 1, without packing: images are laid out as planes of doubles, along whose rows
// eight elements and five taps meet in tiles of sums that stay in variables. LeNet-5's first layer takes half of the time that
// it takes as a product of matrices, where packing costs more than the products; the filter's gradient two thirds.

import { layOut, outputSize, reach, taps, type Geometry } from './conv-geometry.ts';
import type { FilterView } from './winograd.ts';

const WIDTH = 5;
/** Neighbouring positions of a tile; it has two output channels. */
const POSITIONS = 4;
/** Input channels up to which the weights of a tile stay in the cache of the first level. */
const MOST_INPUTS = 64;

/** Whether rows can be walked with a sliding window of five. */
export function fiveWidePays({ inputs, x, y }: Geometry): boolean {
  return (
    x.kernel === WIDTH &&
    x.stride * x.lhsDilation * x.rhsDilation * y.lhsDilation === 1 &&
    x.output >= POSITIONS &&
    inputs <= MOST_INPUTS
  );
}

/** The geometry by which planes are laid out: padded at the left and right only, for rows of padding take no part. */
function rowsOnly(g: Geometry): Geometry {
  const y = { ...g.y, output: g.y.input, kernel: 1, stride: 1, rhsDilation: 1, low: 0 };
  return { ...g, y };
}

/** Planes of one image's group, with room for positions that a last tile reads and drops. */
function planesFor(g: Geometry): Float64Array {
  return new Float64Array(g.inputs * g.y.input * reach(g.x) + POSITIONS);
}

/** The range of `count` values i for which start + i * step lies in 0 .. length - 1. */
function inside(
  start: number,
  step: number,
  count: number,
  length: number,
): { first: number; end: number } {
  const first = Math.max(0, Math.ceil(-start / step));
  return { first, end: Math.max(first, Math.min(count, Math.ceil((length - start) / step))) };
}

/** For each two outputs: the weights of each channel and tap side by side; zeros for an output that is missing. */
function packPairs(
  packed: Float64Array,
  g: Geometry,
  { data, targetStride, sourceStride, turned }: FilterView,
  offset: number,
): void {
  const count = taps(g);
  let p = 0;
  for (let first = 0; first < g.outputs; first += 2) {
    for (let channel = 0; channel < g.inputs; channel++) {
      for (let tap = 0; tap < count; tap++) {
        const at =
          offset + first * targetStride + channel * sourceStride + (turned ? count - 1 - tap : tap);
        packed[p++] = data[at]!;
        packed[p++] = first + 1 < g.outputs ? data[at + targetStride]! : 0;
      }
    }
  }
}

/** target[output, position] = sum over source channels and taps. */
export function fiveWide(
  g: Geometry,
  source: Float32Array,
  filter: FilterView,
  target: Float32Array,
): void {
  const planes = planesFor(g);
  const rows = rowsOnly(g);
  const size = outputSize(g);
  const weights = new Float64Array((g.outputs + 1) * g.inputs * taps(g));
  const inputs = g.inputs * g.y.input * g.x.input;
  for (let group = 0; group < g.groups; group++) {
    packPairs(weights, g, filter, group * g.inputs * g.outputs * taps(g));
    for (let image = 0; image < g.batch; image++) {
      const part = image * g.groups + group;
      layOut(rows, source, part * inputs, g.inputs, planes);
      for (let output = 0; output < g.outputs; output += 2) {
        const offset = (part * g.outputs + output) * size;
        correlatePair(g, planes, weights, output, target, offset, false);
      }
    }
  }
}

/**
 * The planes of `output` and the one after it, from `offset` on. `never` is false: it orders the additions, as in
 * `multiplyPanels`.
 */
function correlatePair(
  { inputs, outputs, y, x }: Geometry,
  planes: Float64Array,
  weights: Float64Array,
  output: number,
  target: Float32Array,
  offset: number,
  never: boolean,
): void {
  const rowStride = reach(x);
  const planeStride = (y.input * rowStride) | 0;
  const rowStep = (y.rhsDilation * rowStride) | 0;
  const width = x.output;
  const size = y.output * width;
  const firstWeight = (output * inputs * y.kernel * WIDTH) | 0;
  const paired = output + 1 < outputs;
  for (let row = 0; row < y.output; row++) {
    const top = row * y.stride - y.low;
    const { first, end } = inside(top, y.rhsDilation, y.kernel, y.input);
    const rowStart = ((top + first * y.rhsDilation) * rowStride) | 0;
    const rowsLength = ((end - first) * rowStep) | 0;
    const skipped = ((y.kernel - (end - first)) * WIDTH * 2) | 0;
    const rowWeight = (firstWeight + first * WIDTH * 2) | 0;
    for (let column = 0; column < width; column += POSITIONS) {
      const start = (rowStart + column) | 0;
      let q = rowWeight;
      let a0 = 0.0;
      let a1 = 0.0;
      let a2 = 0.0;
      let a3 = 0.0;
      let b0 = 0.0;
      let b1 = 0.0;
      let b2 = 0.0;
      let b3 = 0.0;
      for (let channel = 0; channel < inputs; channel++) {
        let p = (channel * planeStride + start) | 0;
        for (const rowsEnd = (p + rowsLength) | 0; p < rowsEnd; p = (p + rowStep) | 0) {
          const v0 = planes[p]!;
          const v1 = planes[(p + 1) | 0]!;
          const v2 = planes[(p + 2) | 0]!;
          const v3 = planes[(p + 3) | 0]!;
          const w0 = weights[q]!;
          a0 += w0 * v0;
          a1 += w0 * v1;
          a2 += w0 * v2;
          a3 += w0 * v3;
          if (never) a0 = a1 = a2 = a3 = 0.0;
          const u0 = weights[(q + 1) | 0]!;
          b0 += u0 * v0;
          b1 += u0 * v1;
          b2 += u0 * v2;
          b3 += u0 * v3;
          if (never) b0 = b1 = b2 = b3 = 0.0;
          const v4 = planes[(p + 4) | 0]!;
          const w1 = weights[(q + 2) | 0]!;
          a0 += w1 * v1;
          a1 += w1 * v2;
          a2 += w1 * v3;
          a3 += w1 * v4;
          if (never) a0 = a1 = a2 = a3 = 0.0;
          const u1 = weights[(q + 3) | 0]!;
          b0 += u1 * v1;
          b1 += u1 * v2;
          b2 += u1 * v3;
          b3 += u1 * v4;
          if (never) b0 = b1 = b2 = b3 = 0.0;
          const v5 = planes[(p + 5) | 0]!;
          const w2 = weights[(q + 4) | 0]!;
          a0 += w2 * v2;
          a1 += w2 * v3;
          a2 += w2 * v4;
          a3 += w2 * v5;
          if (never) a0 = a1 = a2 = a3 = 0.0;
          const u2 = weights[(q + 5) | 0]!;
          b0 += u2 * v2;
          b1 += u2 * v3;
          b2 += u2 * v4;
          b3 += u2 * v5;
          if (never) b0 = b1 = b2 = b3 = 0.0;
          const v6 = planes[(p + 6) | 0]!;
          const w3 = weights[(q + 6) | 0]!;
          a0 += w3 * v3;
          a1 += w3 * v4;
          a2 += w3 * v5;
          a3 += w3 * v6;
          if (never) a0 = a1 = a2 = a3 = 0.0;
          const u3 = weights[(q + 7) | 0]!;
          b0 += u3 * v3;
          b1 += u3 * v4;
          b2 += u3 * v5;
          b3 += u3 * v6;
          if (never) b0 = b1 = b2 = b3 = 0.0;
          const v7 = planes[(p + 7) | 0]!;
          const w4 = weights[(q + 8) | 0]!;
          a0 += w4 * v4;
          a1 += w4 * v5;
          a2 += w4 * v6;
          a3 += w4 * v7;
          if (never) a0 = a1 = a2 = a3 = 0.0;
          const u4 = weights[(q + 9) | 0]!;
          b0 += u4 * v4;
          b1 += u4 * v5;
          b2 += u4 * v6;
          b3 += u4 * v7;
          q = (q + 10) | 0;
        }
        q = (q + skipped) | 0;
      }
      const t = offset + row * width + column;
      const left = width - column;
      storeFour(target, t, left, a0, a1, a2, a3);
      if (paired) storeFour(target, t + size, left, b0, b1, b2, b3);
    }
  }
}

function storeFour(
  target: Float32Array,
  at: number,
  left: number,
  v0: number,
  v1: number,
  v2: number,
  v3: number,
): void {
  target[at] = v0;
  if (left > 1) target[at + 1] = v1;
  if (left > 2) target[at + 2] = v2;
  if (left > 3) target[at + 3] = v3;
}

/** Products for each element packed below which the filter's gradient is computed here. */
const FEWEST_PRODUCTS = 8;

/** Whether the filter's gradient, as a product of matrices, would mostly pack. */
export function fiveWideGradientPays(g: Geometry): boolean {
  const columns = g.inputs * taps(g);
  return fiveWidePays(g) && (g.outputs * columns) / (g.outputs + columns) < FEWEST_PRODUCTS;
}

/** target[output, channel, tap] = sum over images and positions of the gradient and what the tap sees there. */
export function fiveWideGradient(
  g: Geometry,
  source: Float32Array,
  gradient: Float32Array,
  target: Float32Array,
): void {
  const planes = planesFor(g);
  const rows = rowsOnly(g);
  const size = outputSize(g);
  const count = g.inputs * taps(g);
  const inputs = g.inputs * g.y.input * g.x.input;
  // Rows filled up with zeros, and a plane of them for an output that is missing.
  const rowLength = Math.ceil(g.x.output / POSITIONS) * POSITIONS;
  const slopes = new Float64Array((g.outputs + 1) * g.y.output * rowLength);
  const sums = new Float64Array((g.outputs + 1) * count);
  for (let group = 0; group < g.groups; group++) {
    sums.fill(0);
    for (let image = 0; image < g.batch; image++) {
      const part = image * g.groups + group;
      layOut(rows, source, part * inputs, g.inputs, planes);
      fillRows(slopes, rowLength, gradient, part * g.outputs * size, g);
      for (let output = 0; output < g.outputs; output += 2) {
        for (let tap = 0; tap < count; tap += WIDTH)
          addPair(g, planes, slopes, rowLength, sums, output, tap, false);
      }
    }
    target.set(sums.subarray(0, g.outputs * count), group * g.outputs * count);
  }
}

function fillRows(
  slopes: Float64Array,
  rowLength: number,
  gradient: Float32Array,
  offset: number,
  { outputs, x, y }: Geometry,
): void {
  let from = offset;
  for (let row = 0; row < outputs * y.output; row++) {
    const at = row * rowLength;
    for (let column = 0; column < x.output; column++) slopes[at + column] = gradient[from++]!;
  }
}

/** One image's part of the sums of two outputs and the five taps from `tap` on. `never` is false, as in `correlatePair`. */
function addPair(
  { inputs, y, x }: Geometry,
  planes: Float64Array,
  slopes: Float64Array,
  rowLength: number,
  sums: Float64Array,
  output: number,
  tap: number,
  never: boolean,
): void {
  const rowStride = reach(x);
  const line = tap / WIDTH;
  const channel = Math.floor(line / y.kernel);
  const top = (line - channel * y.kernel) * y.rhsDilation - y.low;
  const { first, end } = inside(top, y.stride, y.output, y.input);
  const planeStart = channel * y.input + top;
  let a0 = 0.0;
  let a1 = 0.0;
  let a2 = 0.0;
  let a3 = 0.0;
  let a4 = 0.0;
  let b0 = 0.0;
  let b1 = 0.0;
  let b2 = 0.0;
  let b3 = 0.0;
  let b4 = 0.0;
  let s = (output * y.output * rowLength + first * rowLength) | 0;
  let r = (s + y.output * rowLength) | 0;
  for (let row = first; row < end; row++) {
    let p = ((planeStart + row * y.stride) * rowStride) | 0;
    for (const rowEnd = (s + rowLength) | 0; s < rowEnd; s = (s + POSITIONS) | 0) {
      const v0 = planes[p]!;
      const v1 = planes[(p + 1) | 0]!;
      const v2 = planes[(p + 2) | 0]!;
      const v3 = planes[(p + 3) | 0]!;
      const v4 = planes[(p + 4) | 0]!;
      const g0 = slopes[s]!;
      a0 += g0 * v0;
      a1 += g0 * v1;
      a2 += g0 * v2;
      a3 += g0 * v3;
      a4 += g0 * v4;
      if (never) a0 = a1 = a2 = a3 = a4 = 0.0;
      const h0 = slopes[r]!;
      b0 += h0 * v0;
      b1 += h0 * v1;
      b2 += h0 * v2;
      b3 += h0 * v3;
      b4 += h0 * v4;
      if (never) b0 = b1 = b2 = b3 = b4 = 0.0;
      const v5 = planes[(p + 5) | 0]!;
      const g1 = slopes[(s + 1) | 0]!;
      a0 += g1 * v1;
      a1 += g1 * v2;
      a2 += g1 * v3;
      a3 += g1 * v4;
      a4 += g1 * v5;
      if (never) a0 = a1 = a2 = a3 = a4 = 0.0;
      const h1 = slopes[(r + 1) | 0]!;
      b0 += h1 * v1;
      b1 += h1 * v2;
      b2 += h1 * v3;
      b3 += h1 * v4;
      b4 += h1 * v5;
      if (never) b0 = b1 = b2 = b3 = b4 = 0.0;
      const v6 = planes[(p + 6) | 0]!;
      const g2 = slopes[(s + 2) | 0]!;
      a0 += g2 * v2;
      a1 += g2 * v3;
      a2 += g2 * v4;
      a3 += g2 * v5;
      a4 += g2 * v6;
      if (never) a0 = a1 = a2 = a3 = a4 = 0.0;
      const h2 = slopes[(r + 2) | 0]!;
      b0 += h2 * v2;
      b1 += h2 * v3;
      b2 += h2 * v4;
      b3 += h2 * v5;
      b4 += h2 * v6;
      if (never) b0 = b1 = b2 = b3 = b4 = 0.0;
      const v7 = planes[(p + 7) | 0]!;
      const g3 = slopes[(s + 3) | 0]!;
      a0 += g3 * v3;
      a1 += g3 * v4;
      a2 += g3 * v5;
      a3 += g3 * v6;
      a4 += g3 * v7;
      if (never) a0 = a1 = a2 = a3 = a4 = 0.0;
      const h3 = slopes[(r + 3) | 0]!;
      b0 += h3 * v3;
      b1 += h3 * v4;
      b2 += h3 * v5;
      b3 += h3 * v6;
      b4 += h3 * v7;
      p = (p + POSITIONS) | 0;
      r = (r + POSITIONS) | 0;
    }
  }
  const count = inputs * y.kernel * WIDTH;
  const at = output * count + tap;
  sums[at]! += a0;
  sums[at + 1]! += a1;
  sums[at + 2]! += a2;
  sums[at + 3]! += a3;
  sums[at + 4]! += a4;
  sums[at + count]! += b0;
  sums[at + count + 1]! += b1;
  sums[at + count + 2]! += b2;
  sums[at + count + 3]! += b3;
  sums[at + count + 4]! += b4;
}
