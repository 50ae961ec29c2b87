// Tensors as axes to walk. Several tensors of one shape are walked together by strides of their own; axes that can be walked
// as one are merged first, so that what remains inside is long.

export interface Walk {
  /** At least one axis. */
  readonly lengths: readonly number[];
  /** For each tensor, elements to skip for one step along each axis. */
  readonly strides: readonly (readonly number[])[];
}

/** The shortest walk over `shape`: axes of length 1 dropped, neighbours joined where every tensor allows it. */
export function mergeAxes(
  shape: readonly number[],
  ...strides: readonly (readonly number[])[]
): Walk {
  const lengths: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (const [axis, length] of shape.entries()) {
    if (length === 1) continue;
    const last = lengths.length - 1;
    const joins = last >= 0 && strides.every((own, i) => merged[i]![last] === own[axis]! * length);
    if (joins) {
      lengths[last]! *= length;
      for (const [i, own] of strides.entries()) merged[i]![last] = own[axis]!;
    } else {
      lengths.push(length);
      for (const [i, own] of strides.entries()) merged[i]!.push(own[axis]!);
    }
  }
  if (lengths.length === 0) {
    lengths.push(1);
    for (const own of merged) own.push(0);
  }
  return { lengths, strides: merged };
}

/** An axis seen as the middle one of three, in C order: what lies before it, its own length, what lies after it. */
export interface AxisView {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

export function aroundAxis(shape: readonly number[], axis: number): AxisView {
  return {
    outer: sizeOf(shape.slice(0, axis)),
    length: shape[axis]!,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
