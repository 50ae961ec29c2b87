// Weights by which the elements of one axis make those of another, computed on the host in float64: interpolation and
// averaging of images are two small matrix products. PyTorch's conventions for where an output element looks.

import { fromHost } from '../creation.ts';
import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';

/** A matrix [output, input] in C order. */
export interface AxisWeights {
  readonly output: number;
  readonly input: number;
  readonly values: Float32Array;
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

/** Weights by name of all that determines them; the oldest of 64 makes room. */
function cached(key: string, input: number, output: number, fill: Fill): AxisWeights {
  const known = cache.get(key);
  if (known) return known;
  const values = new Float32Array(output * input);
  for (let i = 0; i < output; i++) {
    const row = new Float64Array(input);
    fill(i, row);
    values.set(row, i * input);
  }
  const weights = { output, input, values };
  if (cache.size >= CACHED) cache.delete(cache.keys().next().value!);
  cache.set(key, weights);
  return weights;
}
type Fill = (i: number, row: Float64Array) => void;

/** rows x columns^T for every plane of x [N, C, H, W]: [N, C, rows.output, columns.output]. */
export function resample(x: Tensor, rows: AxisWeights, columns: AxisWeights): Tensor {
  return scope(() => {
    const matrix = ({ output, input, values }: AxisWeights): Tensor =>
      fromHost({ shape: [output, input], dtype: 'float32' }, values, x.backend);
    const wide = run('matmul', [x, matrix(columns)], { transposeA: false, transposeB: true });
    return run('matmul', [matrix(rows), wide], { transposeA: false, transposeB: false });
  });
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
  return cached(`area ${input} ${output}`, input, output, (i, row) => {
    const { start, end } = list[i]!;
    row.fill(1 / (end - start), start, end);
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
  return cached(keyOf('linear', sampling), input, output, (i, row) => {
    const source = alignCorners ? i * step : Math.max((i + 0.5) * step - 0.5, 0);
    const first = Math.min(Math.floor(source), input - 1);
    const second = Math.min(first + 1, input - 1);
    const share = Math.min(source - first, 1);
    row[first]! += 1 - share;
    row[second]! += share;
  });
}

export function cubicWeights(sampling: AxisSampling): AxisWeights {
  const { input, output, alignCorners } = sampling;
  const step = stepOf(sampling);
  return cached(keyOf('cubic', sampling), input, output, (i, row) => {
    const source = alignCorners ? i * step : (i + 0.5) * step - 0.5;
    const first = Math.floor(source) - 1;
    for (let tap = first; tap < first + 4; tap++) {
      row[Math.min(Math.max(tap, 0), input - 1)]! += cubic(source - tap, -0.75);
    }
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
  return cached(keyOf(`antialias ${mode}`, sampling), input, output, (i, row) => {
    const centre = step * (i + 0.5);
    const start = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), input);
    let total = 0;
    for (let j = start; j < end; j++) {
      row[j] = kernel((j - centre + 0.5) / widening);
      total += row[j]!;
    }
    for (let j = start; j < end; j++) row[j]! /= total;
  });
}
