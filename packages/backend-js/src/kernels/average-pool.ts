// Sums and averages of windows, and their gradients, which give each element of a window the same share. A window without
// elements sums to 0. Sums are made in doubles.

import {
  sizeOf,
  type AveragePool2dAttributes,
  type Data,
  type Pair,
  type Window2dAttributes,
} from '@convoke/backend-api';
import type { Arrays, Kernels } from '../kernel.ts';
import { poolGeometry, type PoolGeometry } from './pool-windows.ts';

/** What each window's sum is divided by: the product of a number a row and a number a column. */
interface Divisors {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
}

function constant({ outHeight, outWidth }: PoolGeometry, value: number): Divisors {
  return {
    rows: new Float64Array(outHeight).fill(value),
    columns: new Float64Array(outWidth).fill(1),
  };
}

/** Counts window elements inside the input with the counted padding round it. */
function divisorsOf(
  g: PoolGeometry,
  inputSize: Pair,
  outputShape: readonly number[],
  attributes: AveragePool2dAttributes,
): Divisors {
  const { divisor, kernelSize, padding, countedPadding } = attributes;
  if (typeof divisor === 'number') return constant(g, divisor);
  if (divisor === 'kernel') return constant(g, kernelSize[0] * kernelSize[1]);
  const [top, bottom, left, right] = divisor === 'padded' ? countedPadding : [0, 0, 0, 0];
  const { y, x } = poolGeometry(
    [inputSize[0] + top + bottom, inputSize[1] + left + right],
    outputShape,
    {
      ...attributes,
      padding: [padding[0] - top, padding[1] - bottom, padding[2] - left, padding[3] - right],
    },
  );
  return {
    rows: Float64Array.from(y.starts, (start, i) => (y.ends[i]! - start) / y.step),
    columns: Float64Array.from(x.starts, (start, i) => (x.ends[i]! - start) / x.step),
  };
}

function sumWindows(
  { planes, height, width, outHeight, outWidth, y, x }: PoolGeometry,
  divisors: Divisors,
  source: Float32Array,
  target: Float32Array,
): void {
  const yStep = y.step;
  const xStep = x.step;
  let t = 0;
  for (let plane = 0; plane < planes; plane++) {
    const offset = plane * height * width;
    for (let row = 0; row < outHeight; row++) {
      const top = y.starts[row]!;
      const bottom = y.ends[row]!;
      const rowDivisor = divisors.rows[row]!;
      for (let column = 0; column < outWidth; column++) {
        const left = x.starts[column]!;
        const right = x.ends[column]!;
        let sum = 0.0;
        for (let h = top; h < bottom; h += yStep) {
          const line = offset + h * width;
          for (let w = left; w < right; w += xStep) sum += source[line + w]!;
        }
        target[t++] = sum / (rowDivisor * divisors.columns[column]!);
      }
    }
  }
}

function spreadWindows(
  { planes, height, width, outHeight, outWidth, y, x }: PoolGeometry,
  divisors: Divisors,
  gradient: Float32Array,
  target: Float32Array,
): void {
  const yStep = y.step;
  const xStep = x.step;
  const sums = new Float64Array(height * width);
  let s = 0;
  for (let plane = 0; plane < planes; plane++) {
    sums.fill(0);
    for (let row = 0; row < outHeight; row++) {
      const top = y.starts[row]!;
      const bottom = y.ends[row]!;
      const rowDivisor = divisors.rows[row]!;
      for (let column = 0; column < outWidth; column++) {
        const left = x.starts[column]!;
        const right = x.ends[column]!;
        const share = gradient[s++]! / (rowDivisor * divisors.columns[column]!);
        for (let h = top; h < bottom; h += yStep) {
          const line = h * width;
          for (let w = left; w < right; w += xStep) sums[line + w]! += share;
        }
      }
    }
    target.set(sums, plane * height * width);
  }
}

function pool(
  data: Data,
  inputSize: Pair,
  outputShape: readonly number[],
  attributes: Window2dAttributes,
  average: AveragePool2dAttributes | null,
  arrays: Arrays,
): readonly Data[] {
  const g = poolGeometry(inputSize, outputShape, attributes);
  const divisors = average ? divisorsOf(g, inputSize, outputShape, average) : constant(g, 1);
  const target = arrays.take('float32', sizeOf(outputShape));
  sumWindows(g, divisors, data as Float32Array, target);
  return [target];
}

function poolGradient(
  data: Data,
  gradientShape: readonly number[],
  attributes: Window2dAttributes & { readonly inputSize: Pair },
  average: AveragePool2dAttributes | null,
  arrays: Arrays,
): readonly Data[] {
  const { inputSize } = attributes;
  const g = poolGeometry(inputSize, gradientShape, attributes);
  const divisors = average ? divisorsOf(g, inputSize, gradientShape, average) : constant(g, 1);
  const target = arrays.take('float32', g.planes * g.height * g.width);
  spreadWindows(g, divisors, data as Float32Array, target);
  return [target];
}

type AveragePooling = 'sumPool2d' | 'sumPool2dGradient' | 'averagePool2d' | 'averagePool2dGradient';

export const averagePooling: Pick<Required<Kernels>, AveragePooling> = {
  sumPool2d([x], attributes, [output], _, arrays) {
    const size = x!.spec.shape.slice(2) as unknown as Pair;
    return pool(x!.data, size, output!.shape, attributes, null, arrays);
  },
  sumPool2dGradient([gradient], attributes, _outputs, _, arrays) {
    return poolGradient(gradient!.data, gradient!.spec.shape, attributes, null, arrays);
  },
  averagePool2d([x], attributes, [output], _, arrays) {
    const size = x!.spec.shape.slice(2) as unknown as Pair;
    return pool(x!.data, size, output!.shape, attributes, attributes, arrays);
  },
  averagePool2dGradient([gradient], attributes, _outputs, _, arrays) {
    return poolGradient(gradient!.data, gradient!.spec.shape, attributes, attributes, arrays);
  },
};
