// Walking several arrays of one shape together, each by strides of its own: broadcasting, reducing, permuting and slicing
// are all such walks. Axes that can be walked as one are merged first, so that what remains inside is long.

import { stridesOf, type Data, type Shape } from '@convoke/backend-api';

export interface Walk {
  /** At least one axis. */
  readonly lengths: readonly number[];
  /** For each array, elements to skip for one step along each axis. */
  readonly strides: readonly (readonly number[])[];
}

/** The shortest walk over `shape`: axes of length 1 dropped, neighbours joined where every array allows it. */
export function mergeAxes(shape: Shape, ...strides: readonly (readonly number[])[]): Walk {
  const lengths: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis]!;
    if (length === 1) continue;
    const joins =
      lengths.length > 0 && strides.every((own, i) => own[axis] === merged[i]![0]! * lengths[0]!);
    if (joins) lengths[0]! *= length;
    else {
      lengths.unshift(length);
      for (const [i, own] of strides.entries()) merged[i]!.unshift(own[axis]!);
    }
  }
  if (lengths.length === 0) {
    lengths.push(1);
    for (const own of merged) own.push(0);
  }
  return { lengths, strides: merged };
}

/**
 * Calls `visit` once for every line along the last axis with each array's offset of the line's start. The array of offsets
 * is reused. Nothing is called where a length is 0.
 */
export function eachLine(
  { lengths, strides }: Walk,
  starts: readonly number[],
  visit: (offsets: readonly number[]) => void,
): void {
  if (lengths.includes(0)) return;
  const outer = lengths.length - 1;
  const offsets = [...starts];
  const index = lengths.map(() => 0);
  for (;;) {
    visit(offsets);
    let axis = outer - 1;
    for (; axis >= 0; axis--) {
      const length = lengths[axis]!;
      if (++index[axis]! < length) {
        for (let i = 0; i < offsets.length; i++) offsets[i]! += strides[i]![axis]!;
        break;
      }
      index[axis] = 0;
      for (let i = 0; i < offsets.length; i++) offsets[i]! -= strides[i]![axis]! * (length - 1);
    }
    if (axis < 0) return;
  }
}

/** Elements of an array, starting at `offset`, as a tensor with these strides. */
export interface View {
  readonly data: Data;
  readonly offset: number;
  readonly strides: readonly number[];
}

export function contiguous(data: Data, shape: Shape): View {
  return { data, offset: 0, strides: stridesOf(shape) };
}

export type Bits = Int32Array | Uint8Array;

/** The same memory as whole numbers: copies keep every bit, and two loops serve four dtypes. */
export function bits(data: Data): Bits {
  return data instanceof Float32Array
    ? new Int32Array(data.buffer, data.byteOffset, data.length)
    : data;
}

/** Side of the squares in which planes are transposed, so that lines of the cache are used whole. */
const TILE = 32;

/** Copies every element of a tensor of `shape` from one view to another of the same dtype. */
export function copy(shape: Shape, from: View, to: View): void {
  if (shape.includes(0)) return;
  const { lengths, strides } = mergeAxes(shape, from.strides, to.strides);
  const [x, y] = [bits(from.data), bits(to.data)];
  const [sx, sy] = strides as [readonly number[], readonly number[]];
  const last = lengths.length - 1;
  const [columns, xStep, yStep] = [lengths[last]!, sx[last]!, sy[last]!];
  if (last === 0) {
    copyLine(x, from.offset, xStep, y, to.offset, yStep, columns);
    return;
  }
  const [rows, xRow, yRow] = [lengths[last - 1]!, sx[last - 1]!, sy[last - 1]!];
  const transposes = Math.abs(xRow) < Math.abs(xStep) && columns >= 8 && rows >= 8;
  const planes = {
    lengths: [...lengths.slice(0, -2), 1],
    strides: [
      [...sx.slice(0, -2), 0],
      [...sy.slice(0, -2), 0],
    ],
  };
  eachLine(planes, [from.offset, to.offset], (offsets) => {
    const xAt = offsets[0]!;
    const yAt = offsets[1]!;
    if (transposes) {
      copyTiles(x, xAt, xRow, xStep, y, yAt, yRow, yStep, rows, columns);
      return;
    }
    for (let row = 0; row < rows; row++) {
      copyLine(x, xAt + row * xRow, xStep, y, yAt + row * yRow, yStep, columns);
    }
  });
}

function copyLine(
  x: Bits,
  xAt: number,
  xStep: number,
  y: Bits,
  yAt: number,
  yStep: number,
  length: number,
): void {
  // A block copy costs about as much to start as copying 64 elements one by one.
  if (xStep === 1 && yStep === 1 && length >= 64) {
    y.set(x.subarray(xAt, xAt + length), yAt);
  } else if (xStep === 0 && yStep === 1) {
    y.fill(x[xAt]!, yAt, yAt + length);
  } else {
    let from = xAt;
    let to = yAt;
    for (let i = 0; i < length; i++) {
      y[to] = x[from]!;
      from += xStep;
      to += yStep;
    }
  }
}

function copyTiles(
  x: Bits,
  xAt: number,
  xRow: number,
  xStep: number,
  y: Bits,
  yAt: number,
  yRow: number,
  yStep: number,
  rows: number,
  columns: number,
): void {
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(top + TILE, rows);
    for (let left = 0; left < columns; left += TILE) {
      const width = Math.min(TILE, columns - left);
      for (let row = top; row < bottom; row++) {
        let from = xAt + row * xRow + left * xStep;
        let to = yAt + row * yRow + left * yStep;
        for (let i = 0; i < width; i++) {
          y[to] = x[from]!;
          from += xStep;
          to += yStep;
        }
      }
    }
  }
}
