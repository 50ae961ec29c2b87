// Random convolutions, their data in NHWC, and what forward and gradients should be: plain loops in float64.

import fc from 'fast-check';

import type { ConvGeometry } from '../../src/kernels/conv.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';

export interface Ranges {
  /** Channels a group, input and output. */
  readonly channels: number;
  readonly groups: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly lhsDilation: number;
  readonly size: number;
}

const pair = (from: number, to: number): fc.Arbitrary<[number, number]> =>
  fc.oneof(
    fc.integer({ min: from, max: to }).map((v): [number, number] => [v, v]),
    fc.tuple(fc.integer({ min: from, max: to }), fc.integer({ min: from, max: to })),
  );

/** Convolutions whose output exists (there may be no images). Channels count from 1 to `channels`, `groups` times. */
export function convGeometries(ranges: Ranges): fc.Arbitrary<ConvGeometry> {
  return fc
    .record({
      batch: fc.integer({ min: 0, max: 3 }),
      inputs: fc.integer({ min: 1, max: ranges.channels }),
      outputs: fc.integer({ min: 1, max: ranges.channels }),
      groups: fc.integer({ min: 1, max: ranges.groups }),
      size: pair(1, ranges.size),
      kernelSize: pair(1, ranges.kernel),
      stride: pair(1, ranges.stride),
      padding: fc.tuple(side, side, side, side),
      dilation: pair(1, ranges.dilation),
      lhsDilation: pair(1, ranges.lhsDilation),
    })
    .map(({ inputs, outputs, ...rest }) =>
      withOutput({ ...rest, channels: inputs * rest.groups, outputs: outputs * rest.groups }),
    )
    .filter(hasOutput);
}

const side = fc.integer({ min: -1, max: 3 });

export function hasOutput({ outputSize }: ConvGeometry): boolean {
  return outputSize[0] > 0 && outputSize[1] > 0;
}

/** Fills in the output's size. */
export function withOutput(geometry: Omit<ConvGeometry, 'outputSize'>): ConvGeometry {
  const { size, kernelSize, stride, padding, dilation, lhsDilation } = geometry;
  const length = (i: 0 | 1): number => {
    const padded = (size[i] - 1) * lhsDilation[i] + 1 + padding[2 * i]! + padding[2 * i + 1]!;
    return Math.floor((padded - (kernelSize[i] - 1) * dilation[i] - 1) / stride[i]) + 1;
  };
  return { ...geometry, outputSize: [length(0), length(1)] };
}

/** An ordinary convolution of square images: the same padding all round, dilation 1. */
export function plainGeometry(options: {
  batch: number;
  channels: number;
  size: number;
  outputs: number;
  kernel: number;
  stride?: number;
  padding?: number;
  groups?: number;
}): ConvGeometry {
  const { size, kernel, stride = 1, padding = 0, groups = 1, ...counts } = options;
  return withOutput({
    ...counts,
    groups,
    size: [size, size],
    kernelSize: [kernel, kernel],
    stride: [stride, stride],
    padding: [padding, padding, padding, padding],
    lhsDilation: [1, 1],
    dilation: [1, 1],
  });
}

/** Elements of the input, output and filter. */
export const sizes = (s: ConvGeometry): { x: number; y: number; filter: number } => ({
  x: s.batch * s.size[0] * s.size[1] * s.channels,
  y: s.batch * s.outputSize[0] * s.outputSize[1] * s.outputs,
  filter: (s.outputs * s.channels * s.kernelSize[0] * s.kernelSize[1]) / s.groups,
});

/** Values in [-1, 1) that depend on `seed` alone. */
export function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Calls `visit` with flat indices of the output, input and filter for each product of the convolution. */
function eachProduct(s: ConvGeometry, visit: (y: number, x: number, filter: number) => void): void {
  const [inputs, outputs] = [s.channels / s.groups, s.outputs / s.groups];
  const meets = (i: 0 | 1, out: number, tap: number, size: number): number => {
    const at = out * s.stride[i] + tap * s.dilation[i] - s.padding[2 * i]!;
    const element = at / s.lhsDilation[i];
    return Number.isInteger(element) && element >= 0 && element < size ? element : -1;
  };
  const [kernelH, kernelW] = s.kernelSize;
  for (let ky = 0; ky < kernelH; ky++) {
    for (let kx = 0; kx < kernelW; kx++) {
      for (let oy = 0; oy < s.outputSize[0]; oy++) {
        const iy = meets(0, oy, ky, s.size[0]);
        if (iy < 0) continue;
        for (let ox = 0; ox < s.outputSize[1]; ox++) {
          const ix = meets(1, ox, kx, s.size[1]);
          if (ix < 0) continue;
          for (let n = 0; n < s.batch; n++) {
            const y = ((n * s.outputSize[0] + oy) * s.outputSize[1] + ox) * s.outputs;
            const x = ((n * s.size[0] + iy) * s.size[1] + ix) * s.channels;
            for (let o = 0; o < s.outputs; o++) {
              const first = Math.floor(o / outputs) * inputs;
              for (let c = 0; c < inputs; c++) {
                visit(y + o, x + first + c, ((o * inputs + c) * kernelH + ky) * kernelW + kx);
              }
            }
          }
        }
      }
    }
  }
}

export function naiveForward(s: ConvGeometry, x: Float32Array, filter: Float32Array): Float64Array {
  const y = new Float64Array(sizes(s).y);
  eachProduct(s, (yi, xi, fi) => (y[yi]! += x[xi]! * filter[fi]!));
  return y;
}

export function naiveInputGradient(
  s: ConvGeometry,
  gradient: Float32Array,
  filter: Float32Array,
): Float64Array {
  const x = new Float64Array(sizes(s).x);
  eachProduct(s, (yi, xi, fi) => (x[xi]! += gradient[yi]! * filter[fi]!));
  return x;
}

export function naiveFilterGradient(
  s: ConvGeometry,
  x: Float32Array,
  gradient: Float32Array,
): Float64Array {
  const filter = new Float64Array(sizes(s).filter);
  eachProduct(s, (yi, xi, fi) => (filter[fi]! += x[xi]! * gradient[yi]!));
  return filter;
}

/** The largest error, in units of the largest expected magnitude (or 1); infinite where something is not a number. */
export function errorOf(actual: Float32Array, expected: Float64Array): number {
  if (actual.length !== expected.length) return Infinity;
  const scale = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
  const worst = actual.reduce((most, v, i) => {
    const error = Math.abs(v - expected[i]!);
    return Number.isNaN(error) ? Infinity : Math.max(most, error);
  }, 0);
  return worst / scale;
}

/** Gives a harness that is used again while it has room: hundreds of memories at once are a burden on the machine. */
export function sharedHarness(build: Build, megabytes = 64): () => KernelHarness {
  const fresh = (): KernelHarness => new KernelHarness({ build, megabytes });
  let harness = fresh();
  return () => {
    if (harness.allocate(0) > megabytes * 2 ** 19) harness = fresh();
    return harness;
  };
}
