// What kernels know of a convolution: sizes, and where the elements of input, filter and output meet.

export type Pair = readonly [number, number];

/** [height, width] in all pairs. */
export interface ConvGeometry {
  readonly batch: number;
  readonly size: Pair;
  readonly channels: number;
  readonly outputSize: Pair;
  readonly outputs: number;
  readonly kernelSize: Pair;
  readonly stride: Pair;
  /** [top, bottom, left, right]; may be negative. */
  readonly padding: readonly [number, number, number, number];
  /** Distance between taps. */
  readonly dilation: Pair;
  /** Distance between input elements. */
  readonly lhsDilation: Pair;
  readonly groups: number;
}
