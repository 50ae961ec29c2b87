// What the tests of image ops share: repeatable values, and convolution and pooling by their definitions, in float64.

import { js } from '@convoke/backend-js';

import { currentBackend, fromHost, register, use, type Tensor } from '../src/index.ts';

export interface Plain {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export async function useJs(): Promise<void> {
  register(js);
  await use('js');
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Values in [-1, 1) that look random, the same for a seed each time. */
export function numbers(shape: readonly number[], seed = 1): Float32Array {
  let state = seed * 2654435761;
  return Float32Array.from({ length: sizeOf(shape) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >> 8) / 2 ** 23;
  });
}

export function floats(shape: readonly number[], data: ArrayLike<number> | number = 1): Tensor {
  const values = typeof data === 'number' ? numbers(shape, data) : Float32Array.from(data);
  return fromHost({ shape, dtype: 'float32' }, values);
}

export function ints(shape: readonly number[], data: ArrayLike<number>): Tensor {
  return fromHost({ shape, dtype: 'int32' }, Int32Array.from(data));
}

export async function plain(tensor: Tensor): Promise<Plain> {
  return { shape: tensor.shape, data: await tensor.data() };
}

/**
 * How a tensor differs from what is expected beyond a tolerance that float32 sums of a few hundred terms stay in, or null.
 */
export async function mismatch(
  actual: Tensor,
  expected: Plain,
  tolerance = 2e-5,
): Promise<string | null> {
  const data = await actual.data();
  if (String(actual.shape) !== String(expected.shape) || data.length !== expected.data.length) {
    return `shape [${actual.shape.join(', ')}], expected [${expected.shape.join(', ')}]`;
  }
  for (let i = 0; i < data.length; i++) {
    const [got, wanted] = [data[i]!, expected.data[i]!];
    if (Object.is(got, wanted) || got === wanted) continue;
    if (!(Math.abs(got - wanted) <= tolerance * Math.max(1, Math.abs(wanted)))) {
      return `element ${i} is ${got}, expected ${wanted}`;
    }
  }
  return null;
}

/** The number of handles that `f` leaves behind beyond its result. */
export function leaked(f: () => Tensor | Record<string, Tensor>): number {
  const before = currentBackend().memory().handles;
  const result = f();
  const made = 'handle' in result ? [result as Tensor] : Object.values(result);
  for (const tensor of made) tensor.dispose();
  return currentBackend().memory().handles - before;
}

/** Calls `visit` with each index of `shape`. */
export function eachIndex(shape: readonly number[], visit: (index: number[]) => void): void {
  const index = shape.map(() => 0);
  for (let flat = 0; flat < sizeOf(shape); flat++) {
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    visit([...index]);
  }
}

function offset(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((sum, i, axis) => sum * shape[axis]! + i, 0);
}

/** The element of x at an index, or `outside` beyond its edges. */
function at({ shape, data }: Plain, index: readonly number[], outside: number): number {
  if (index.some((i, axis) => i < 0 || i >= shape[axis]!)) return outside;
  return data[offset(shape, index)]!;
}

export function build(shape: readonly number[], element: (index: number[]) => number): Plain {
  const data = new Float64Array(sizeOf(shape));
  let flat = 0;
  eachIndex(shape, (index) => {
    data[flat++] = element(index);
  });
  return { shape, data };
}

export interface Geometry {
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number, number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}

function outputSize(
  input: readonly number[],
  kernel: readonly number[],
  { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1] }: Geometry,
): number[] {
  return [0, 1].map((axis) => {
    const room = input[axis]! + padding[axis * 2]! + padding[axis * 2 + 1]!;
    return Math.floor((room - dilation[axis]! * (kernel[axis]! - 1) - 1) / stride[axis]!) + 1;
  });
}

/** Cross-correlation by its definition. */
export function naiveConv2d(x: Plain, w: Plain, geometry: Geometry = {}): Plain {
  const { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1], groups = 1 } = geometry;
  const [outputs, perGroup, kernelHeight, kernelWidth] = w.shape as [
    number,
    number,
    number,
    number,
  ];
  const size = outputSize(x.shape.slice(2), [kernelHeight, kernelWidth], geometry);
  return build([x.shape[0]!, outputs, ...size], ([n, o, row, column]) => {
    let sum = 0;
    const first = Math.floor(o! / (outputs / groups)) * perGroup;
    eachIndex([perGroup, kernelHeight, kernelWidth], ([c, i, j]) => {
      const y = row! * stride[0] - padding[0] + i! * dilation[0];
      const z = column! * stride[1] - padding[2] + j! * dilation[1];
      sum += at(x, [n!, first + c!, y, z], 0) * at(w, [o!, c!, i!, j!], 0);
    });
    return sum;
  });
}

/** The elements of a window that lie in the input, with their position in the plane. */
export function windowOf(
  x: Plain,
  [n, c, row, column]: readonly number[],
  kernel: readonly [number, number],
  { stride = [1, 1], padding = [0, 0, 0, 0], dilation = [1, 1] }: Geometry,
): { value: number; position: number }[] {
  const found: { value: number; position: number }[] = [];
  const [height, width] = [x.shape[2]!, x.shape[3]!];
  eachIndex(kernel, ([i, j]) => {
    const y = row! * stride[0] - padding[0] + i! * dilation[0];
    const z = column! * stride[1] - padding[2] + j! * dilation[1];
    if (y < 0 || z < 0 || y >= height || z >= width) return;
    found.push({ value: at(x, [n!, c!, y, z], NaN), position: y * width + z });
  });
  return found;
}

/** Of each window, what `reduce` makes of its elements inside the input. */
export function naivePool(
  x: Plain,
  kernel: readonly [number, number],
  geometry: Geometry,
  size: readonly number[],
  reduce: (elements: { value: number; position: number }[]) => number,
): Plain {
  return build([x.shape[0]!, x.shape[1]!, ...size], (index) =>
    reduce(windowOf(x, index, kernel, geometry)),
  );
}

/** A rank-0 value. */
export const number = (value: number): Plain => ({ shape: [], data: [value] });
