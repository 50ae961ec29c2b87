// Where the windows of pooling lie on their planes: per axis, the elements of each window that are inside the input. Sums,
// averages and maxima walk these spans and need no further bounds.

import { sizeOf, type Pair, type Shape, type Window2dAttributes } from '@convoke/backend-api';

interface Spans {
  /** For each output position, the first element inside; equal to `ends` where none is. */
  readonly starts: Int32Array;
  /** One step past the last element inside. */
  readonly ends: Int32Array;
  readonly step: number;
}

export interface PoolGeometry {
  /** Planes: batch times channels. */
  readonly planes: number;
  readonly height: number;
  readonly width: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly y: Spans;
  readonly x: Spans;
}

function spansOf(
  input: number,
  output: number,
  kernel: number,
  stride: number,
  low: number,
  step: number,
): Spans {
  const starts = new Int32Array(output);
  const ends = new Int32Array(output);
  for (let o = 0; o < output; o++) {
    const origin = o * stride - low;
    const firstTap = Math.max(0, Math.ceil(-origin / step));
    const endTap = Math.max(firstTap, Math.min(kernel, Math.ceil((input - origin) / step)));
    starts[o] = origin + firstTap * step;
    ends[o] = origin + endTap * step;
  }
  return { starts, ends, step };
}

/** `output` is the pooled shape [N, C, H', W']. */
export function poolGeometry(
  [height, width]: Pair,
  output: Shape,
  { kernelSize, stride, padding, dilation }: Window2dAttributes,
): PoolGeometry {
  const [outHeight, outWidth] = output.slice(2) as [number, number];
  return {
    planes: sizeOf(output.slice(0, 2)),
    height,
    width,
    outHeight,
    outWidth,
    kernelHeight: kernelSize[0],
    kernelWidth: kernelSize[1],
    y: spansOf(height, outHeight, kernelSize[0], stride[0], padding[0], dilation[0]),
    x: spansOf(width, outWidth, kernelSize[1], stride[1], padding[2], dilation[1]),
  };
}
