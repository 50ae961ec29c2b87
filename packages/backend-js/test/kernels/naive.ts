// Convolution and pooling written as their definitions say, in doubles, with a bounds check for every element: the
// reference for kernels that do otherwise.

import {
  sizeOf,
  type Conv2dAttributes,
  type Shape,
  type Window2dAttributes,
} from '@convoke/backend-api';
import type { Value } from '../../src/kernel.ts';

export interface Reference {
  readonly shape: Shape;
  readonly data: Float64Array;
}

type Four = [number, number, number, number];

/**
 * Calls `visit` with flat indices of every (output, input, filter) triple that meets in a convolution of these shapes:
 * input [N, C, H, W], filter [O, C/groups, kH, kW], output [N, O, H', W'].
 */
function eachMeeting(
  input: Shape,
  filter: Shape,
  output: Shape,
  { stride, padding, lhsDilation, rhsDilation, groups }: Conv2dAttributes,
  visit: (output: number, input: number, filter: number) => void,
): void {
  const [batch, channels, height, width] = input as Four;
  const [, perGroup, kernelHeight, kernelWidth] = filter as Four;
  const [, outputs, outHeight, outWidth] = output as Four;
  const source = (o: number, k: number, axis: 0 | 1, length: number): number => {
    const position = o * stride[axis] + k * rhsDilation[axis] - padding[axis * 2]!;
    const index = position / lhsDilation[axis];
    return Number.isInteger(index) && index >= 0 && index < length ? index : -1;
  };
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < outputs; o++)
      for (let oy = 0; oy < outHeight; oy++)
        for (let ox = 0; ox < outWidth; ox++)
          for (let c = 0; c < perGroup; c++)
            for (let ky = 0; ky < kernelHeight; ky++)
              for (let kx = 0; kx < kernelWidth; kx++) {
                const iy = source(oy, ky, 0, height);
                const ix = source(ox, kx, 1, width);
                if (iy < 0 || ix < 0) continue;
                const channel = Math.floor(o / (outputs / groups)) * perGroup + c;
                visit(
                  ((n * outputs + o) * outHeight + oy) * outWidth + ox,
                  ((n * channels + channel) * height + iy) * width + ix,
                  ((o * perGroup + c) * kernelHeight + ky) * kernelWidth + kx,
                );
              }
}

export function naiveConv2d(
  x: Value,
  filter: Value,
  output: Shape,
  a: Conv2dAttributes,
): Reference {
  const data = new Float64Array(sizeOf(output));
  eachMeeting(x.spec.shape, filter.spec.shape, output, a, (o, i, f) => {
    data[o]! += x.data[i]! * filter.data[f]!;
  });
  return { shape: output, data };
}

export function naiveInputGradient(
  gradient: Value,
  filter: Value,
  input: Shape,
  a: Conv2dAttributes,
): Reference {
  const data = new Float64Array(sizeOf(input));
  eachMeeting(input, filter.spec.shape, gradient.spec.shape, a, (o, i, f) => {
    data[i]! += gradient.data[o]! * filter.data[f]!;
  });
  return { shape: input, data };
}

export function naiveFilterGradient(
  x: Value,
  gradient: Value,
  filter: Shape,
  a: Conv2dAttributes,
): Reference {
  const data = new Float64Array(sizeOf(filter));
  eachMeeting(x.spec.shape, filter, gradient.spec.shape, a, (o, i, f) => {
    data[f]! += x.data[i]! * gradient.data[o]!;
  });
  return { shape: filter, data };
}

/** The flat indices in its plane of each window's elements, window after window. */
export function windowsOf(
  [height, width]: readonly number[],
  output: Shape,
  w: Window2dAttributes,
): number[][] {
  const [outHeight, outWidth] = output.slice(2) as [number, number];
  const windows: number[][] = [];
  for (let oy = 0; oy < outHeight; oy++)
    for (let ox = 0; ox < outWidth; ox++) {
      const window: number[] = [];
      for (let ky = 0; ky < w.kernelSize[0]; ky++)
        for (let kx = 0; kx < w.kernelSize[1]; kx++) {
          const y = oy * w.stride[0] + ky * w.dilation[0] - w.padding[0];
          const x = ox * w.stride[1] + kx * w.dilation[1] - w.padding[2];
          if (y >= 0 && y < height! && x >= 0 && x < width!) window.push(y * width! + x);
        }
      windows.push(window);
    }
  return windows;
}
