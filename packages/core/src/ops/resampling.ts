// Windows by which the elements of one axis make those of another, their weights computed on the host in float64:
// interpolation and averaging of images go along one axis, then the other. PyTorch's conventions for where an output element
// looks.

import { fromHost } from '../creation.ts';
import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** For each of `count` elements the `taps` weights of those from its start on. */
interface Windows {
  readonly count: number;
  readonly taps: number;
  /** [count, taps], in C order. */
  readonly weights: Float32Array;
  readonly starts: Int32Array;
}

export interface AxisWeights {
  /** A window of the input for each element of the output. */
  readonly forward: Windows;
  /** A window of the output for each element of the input: where it goes, for gradients. */
  readonly transposed: Windows;
}

/** Input elements per output element, and how far along the input's axis output element i looks. */
export interface AxisSampling {
  readonly input: number;
  readonly output: number;
  /** The ends' centres fall on each other, instead of the outer edges. */
  readonly alignCorners: boolean;
  /** Output / input, where it is not to be taken from the sizes. */
  readonly scaleFactor: number | null;
}

const CACHED = 64;
const cache = new Map<string, AxisWeights>();

/** The weights of an output element: those of the input's elements from `start` on. */
interface Window {
  readonly start: number;
  readonly weights: readonly number[];
}

/** Weights by name of all that determines them; the oldest of 64 makes room. */
function cached(
  key: string,
  input: number,
  output: number,
  windowOf: (i: number) => Window,
): AxisWeights {
  const known = cache.get(key);
  if (known) return known;
  const windows = Array.from({ length: output }, (_, i) => trimmed(windowOf(i)));
  const weights = { forward: packed(windows), transposed: packed(transpose(windows, input)) };
  if (cache.size >= CACHED) cache.delete(cache.keys().next().value!);
  cache.set(key, weights);
  return weights;
}

/** Without zeros at either end. */
function trimmed({ start, weights }: Window): Window {
  const first = weights.findIndex((weight) => weight !== 0);
  const last = weights.findLastIndex((weight) => weight !== 0);
  return { start: start + first, weights: weights.slice(first, last + 1) };
}

function transpose(windows: readonly Window[], input: number): Window[] {
  const columns = Array.from({ length: input }, () => ({ start: 0, weights: [] as number[] }));
  for (const [i, { start, weights }] of windows.entries()) {
    for (const [t, weight] of weights.entries()) {
      if (weight === 0) continue;
      const column = columns[start + t]!;
      if (column.weights.length === 0) column.start = i;
      while (column.weights.length < i - column.start) column.weights.push(0);
      column.weights.push(weight);
    }
  }
  return columns;
}

/** Windows of one length; shorter ones are filled up with zeros. */
function packed(windows: readonly Window[]): Windows {
  const count = windows.length;
  const taps = windows.reduce((most, { weights }) => Math.max(most, weights.length), 0);
  const weights = new Float32Array(count * taps);
  for (const [i, window] of windows.entries()) weights.set(window.weights, i * taps);
  return { count, taps, weights, starts: Int32Array.from(windows, ({ start }) => start) };
}

/** x [N, C, H, W] with the height of `rows` and the width of `columns`. */
export function resample(x: Tensor, rows: AxisWeights, columns: AxisWeights): Tensor {
  const tensors = ({ count, taps, weights, starts }: Windows): Tensor[] => [
    fromHost({ shape: [count, taps], dtype: 'float32' }, weights, x.backend),
    fromHost({ shape: [count], dtype: 'int32' }, starts, x.backend),
  ];
  const along = (from: Tensor, axis: 2 | 3): Tensor => {
    const { forward, transposed } = axis === 2 ? rows : columns;
    return run('resample', [from, ...tensors(forward), ...tensors(transposed)], { axis });
  };
  // The fewer rows there are, the less there is to do for the columns.
  const rowsFirst = rows.forward.count < x.shape[2]!;
  return scope(() => (rowsFirst ? along(along(x, 2), 3) : along(along(x, 3), 2)));
}

/** The cells into which adaptive pooling divides an axis; `end` is exclusive. */
export function cells(input: number, output: number): { start: number; end: number }[] {
  return Array.from({ length: output }, (_, i) => ({
    start: Math.floor((i * input) / output),
    end: Math.ceil(((i + 1) * input) / output),
  }));
}

/** Averages over cells. */
export function areaWeights(input: number, output: number): AxisWeights {
  const list = cells(input, output);
  return cached(`area ${input} ${output}`, input, output, (i) => {
    const { start, end } = list[i]!;
    return { start, weights: Array.from({ length: end - start }, () => 1 / (end - start)) };
  });
}

function stepOf({ input, output, alignCorners, scaleFactor }: AxisSampling): number {
  if (alignCorners) return output > 1 ? (input - 1) / (output - 1) : 0;
  return scaleFactor === null ? input / output : 1 / scaleFactor;
}

/** The input element that each output element copies. PyTorch finds it in float32, which decides on which side halves fall. */
export function nearestIndices(sampling: AxisSampling, exact: boolean): number[] {
  const step = Math.fround(stepOf(sampling));
  return Array.from({ length: sampling.output }, (_, i) =>
    Math.min(Math.floor(Math.fround((exact ? i + 0.5 : i) * step)), sampling.input - 1),
  );
}

/** Keys' cubic kernel with parameter a (Keys 1981). */
function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

function keyOf(name: string, { input, output, alignCorners, scaleFactor }: AxisSampling): string {
  return `${name} ${input} ${output} ${alignCorners} ${scaleFactor}`;
}

export function linearWeights(sampling: AxisSampling): AxisWeights {
  const { input, output, alignCorners } = sampling;
  const step = stepOf(sampling);
  return cached(keyOf('linear', sampling), input, output, (i) => {
    const source = alignCorners ? i * step : Math.max((i + 0.5) * step - 0.5, 0);
    const start = Math.min(Math.floor(source), input - 1);
    const share = source - start;
    return { start, weights: start === input - 1 ? [1] : [1 - share, share] };
  });
}

export function cubicWeights(sampling: AxisSampling): AxisWeights {
  const { input, output, alignCorners } = sampling;
  const step = stepOf(sampling);
  const inside = (tap: number): number => Math.min(Math.max(tap, 0), input - 1);
  return cached(keyOf('cubic', sampling), input, output, (i) => {
    const source = alignCorners ? i * step : (i + 0.5) * step - 0.5;
    const first = Math.floor(source) - 1;
    const start = inside(first);
    const weights: number[] = [];
    // What looks beyond the edge takes the element at it.
    for (let tap = first; tap < first + 4; tap++) {
      const at = inside(tap) - start;
      weights[at] = (weights[at] ?? 0) + cubic(source - tap, -0.75);
    }
    return { start, weights };
  });
}

/** As Pillow does: the kernel is widened by the step where the image shrinks, and its weights are normalised. */
export function antialiasWeights(
  mode: 'bilinear' | 'bicubic',
  sampling: AxisSampling,
): AxisWeights {
  const { input, output } = sampling;
  const step = stepOf(sampling);
  const widening = Math.max(step, 1);
  const reach = (mode === 'bilinear' ? 1 : 2) * widening;
  const kernel =
    mode === 'bilinear'
      ? (x: number) => Math.max(1 - Math.abs(x), 0)
      : (x: number) => cubic(x, -0.5);
  return cached(keyOf(`antialias ${mode}`, sampling), input, output, (i) => {
    const centre = step * (i + 0.5);
    const start = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), input);
    const weights = Array.from({ length: end - start }, (_, t) =>
      kernel((start + t - centre + 0.5) / widening),
    );
    const total = weights.reduce((sum, weight) => sum + weight);
    return { start, weights: weights.map((weight) => weight / total) };
  });
}
