// Gradient of depthwise convolution with respect to its filter: for each tap, a sum over the plane, made row by row for up to
// five taps at a time. (The gradient of the input is a depthwise convolution again.)

import { layOut, reach, taps, type Geometry } from './conv-geometry.ts';

/** target [groups * outputs, 1, kH, kW]: each tap's products with the gradient, summed over positions and batch. */
export function depthwiseFilterGradient(
  g: Geometry,
  source: Float32Array,
  gradient: Float32Array,
  target: Float32Array,
): void {
  const { batch, groups, outputs, y, x } = g;
  const count = taps(g);
  const inputSize = y.input * x.input;
  const size = y.output * x.output;
  const plane = new Float64Array(reach(y) * reach(x));
  const sums = new Float64Array(target.length);
  for (let group = 0; group < groups; group++) {
    for (let image = 0; image < batch; image++) {
      const channel = image * groups + group;
      layOut(g, source, channel * inputSize, 1, plane);
      for (let output = 0; output < outputs; output++) {
        const offset = (channel * outputs + output) * size;
        addTapSums(g, plane, gradient, offset, sums, (group * outputs + output) * count);
      }
    }
  }
  target.set(sums);
}

function addTapSums(
  { y, x }: Geometry,
  plane: Float64Array,
  gradient: Float32Array,
  offset: number,
  sums: Float64Array,
  first: number,
): void {
  const stride = reach(x);
  for (let row = 0; row < y.output; row++) {
    const from = offset + row * x.output;
    for (let ky = 0; ky < y.kernel; ky++) {
      const start = (row * y.stride + ky * y.rhsDilation) * stride;
      let kx = 0;
      while (kx < x.kernel) {
        const p = start + kx * x.rhsDilation;
        const tap = first + ky * x.kernel + kx;
        const left = x.kernel - kx;
        if (left >= 5 && x.stride === 1 && x.rhsDilation === 1) {
          slideDot5(gradient, from, x.output, plane, p, sums, tap);
          kx += 5;
        } else if (left >= 3) {
          addDot3(gradient, from, x.output, plane, p, x.stride, x.rhsDilation, sums, tap);
          kx += 3;
        } else {
          addDot1(gradient, from, x.output, plane, p, x.stride, sums, tap);
          kx += 1;
        }
      }
    }
  }
}

function addDot1(
  gradient: Float32Array,
  from: number,
  length: number,
  plane: Float64Array,
  start: number,
  stride: number,
  sums: Float64Array,
  tap: number,
): void {
  let sum = 0.0;
  let p = start;
  for (let i = from; i < from + length; i++) {
    sum += gradient[i]! * plane[p]!;
    p += stride;
  }
  sums[tap]! += sum;
}

function addDot3(
  gradient: Float32Array,
  from: number,
  length: number,
  plane: Float64Array,
  start: number,
  stride: number,
  dilation: number,
  sums: Float64Array,
  tap: number,
): void {
  let sum0 = 0.0;
  let sum1 = 0.0;
  let sum2 = 0.0;
  let p = start;
  let q = p + dilation;
  let r = q + dilation;
  for (let i = from; i < from + length; i++) {
    const value = gradient[i]!;
    sum0 += value * plane[p]!;
    sum1 += value * plane[q]!;
    sum2 += value * plane[r]!;
    p += stride;
    q += stride;
    r += stride;
  }
  sums[tap]! += sum0;
  sums[tap + 1]! += sum1;
  sums[tap + 2]! += sum2;
}

function slideDot5(
  gradient: Float32Array,
  from: number,
  length: number,
  plane: Float64Array,
  start: number,
  sums: Float64Array,
  tap: number,
): void {
  let sum0 = 0.0;
  let sum1 = 0.0;
  let sum2 = 0.0;
  let sum3 = 0.0;
  let sum4 = 0.0;
  let a = plane[start]!;
  let b = plane[start + 1]!;
  let c = plane[start + 2]!;
  let d = plane[start + 3]!;
  let p = start + 4;
  for (let i = from; i < from + length; i++) {
    const value = gradient[i]!;
    const e = plane[p++]!;
    sum0 += value * a;
    sum1 += value * b;
    sum2 += value * c;
    sum3 += value * d;
    sum4 += value * e;
    a = b;
    b = c;
    c = d;
    d = e;
  }
  sums[tap]! += sum0;
  sums[tap + 1]! += sum1;
  sums[tap + 2]! += sum2;
  sums[tap + 3]! += sum3;
  sums[tap + 4]! += sum4;
}
