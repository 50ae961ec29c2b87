// Matrix products, convolution, pooling and resampling as sums over all their terms.

import { matmulGeometry, type Padding2d, type Pair } from '@convoke/backend-api';

import type { Kernels } from './kernel.ts';
import { build, offsetOf, type NaiveValue } from './value.ts';

interface Geometry {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Padding2d;
  readonly dilation: Pair;
  readonly lhsDilation: Pair;
}

/** Calls `visit` with each position of the kernel that meets an element of the input for output (y, x). */
function eachTap(
  { kernelSize, stride, padding, dilation, lhsDilation }: Geometry,
  [height, width]: Pair,
  y: number,
  x: number,
  visit: (h: number, w: number, kernelRow: number, kernelColumn: number) => void,
): void {
  for (let row = 0; row < kernelSize[0]; row++) {
    for (let column = 0; column < kernelSize[1]; column++) {
      const h = (y * stride[0] + row * dilation[0] - padding[0]) / lhsDilation[0];
      const w = (x * stride[1] + column * dilation[1] - padding[2]) / lhsDilation[1];
      // Between the elements of a dilated input, and outside it, there are zeros.
      if (Number.isInteger(h) && h >= 0 && h < height && Number.isInteger(w) && w >= 0 && w < width)
        visit(h, w, row, column);
    }
  }
}

function sizeOfPlanes(value: NaiveValue): Pair {
  return [value.spec.shape[2]!, value.spec.shape[3]!];
}

/** Where the matrix of a possibly broadcast operand begins that belongs to `index` of the product. */
function matrixAt({ spec: { shape } }: NaiveValue, index: readonly number[]): number {
  const [rows, columns] = shape.slice(-2) as [number, number];
  return offsetOf(shape.slice(0, -2), index.slice(0, -2)) * rows * columns;
}

const undilated: Pair = [1, 1];

export const linear: Kernels<'matmul' | 'conv2d' | 'maxPool2d' | 'sumPool2d' | 'resample'> = {
  matmul: ([a, b], attributes, [spec]) => {
    const { transposeA, transposeB } = attributes;
    const { m, n, k } = matmulGeometry(a!.spec.shape, b!.spec.shape, attributes);
    return [
      build(spec!, (index) => {
        const [row, column] = index.slice(-2) as [number, number];
        const left = matrixAt(a!, index);
        const right = matrixAt(b!, index);
        let sum = 0;
        for (let i = 0; i < k; i++) {
          sum +=
            a!.data[left + (transposeA ? i * m + row : row * k + i)]! *
            b!.data[right + (transposeB ? column * k + i : i * n + column)]!;
        }
        return sum;
      }),
    ];
  },

  conv2d: ([x, filter], { stride, padding, lhsDilation, rhsDilation, groups }, [spec]) => {
    const size = sizeOfPlanes(x!);
    const [, channels] = x!.spec.shape as [number, number];
    const [outputs, perGroup, kernelHeight, kernelWidth] = filter!.spec.shape as [
      number,
      number,
      number,
      number,
    ];
    const kernelSize: Pair = [kernelHeight, kernelWidth];
    const geometry = { kernelSize, stride, padding, lhsDilation, dilation: rhsDilation };
    return [
      build(spec!, ([n, o, outputY, outputX]) => {
        const firstChannel = Math.floor(o! / (outputs / groups)) * perGroup;
        let sum = 0;
        eachTap(geometry, size, outputY!, outputX!, (h, w, row, column) => {
          for (let c = 0; c < perGroup; c++) {
            const plane = n! * channels + firstChannel + c;
            const tap = ((o! * perGroup + c) * kernelHeight + row) * kernelWidth + column;
            sum += x!.data[(plane * size[0] + h) * size[1] + w]! * filter!.data[tap]!;
          }
        });
        return sum;
      }),
    ];
  },

  maxPool2d: ([x], attributes, [spec, indexSpec]) => {
    const size = sizeOfPlanes(x!);
    const found: number[] = [];
    const y = build(spec!, ([n, c, outputY, outputX]) => {
      let largest = -Infinity;
      let where = -1;
      const geometry = { ...attributes, lhsDilation: undilated };
      eachTap(geometry, size, outputY!, outputX!, (h, w) => {
        const value = x!.data[offsetOf(x!.spec.shape, [n!, c!, h, w])]!;
        const wins = value > largest || (Number.isNaN(value) && !Number.isNaN(largest));
        if (!wins && where >= 0) return;
        largest = value;
        where = h * size[1] + w;
      });
      found.push(where);
      return largest;
    });
    return [y, build(indexSpec!, (_, flat) => found[flat]!)];
  },

  sumPool2d: ([x], attributes, [spec]) => {
    const size = sizeOfPlanes(x!);
    return [
      build(spec!, ([n, c, outputY, outputX]) => {
        let sum = 0;
        const geometry = { ...attributes, lhsDilation: undilated };
        eachTap(geometry, size, outputY!, outputX!, (h, w) => {
          sum += x!.data[offsetOf(x!.spec.shape, [n!, c!, h, w])]!;
        });
        return sum;
      }),
    ];
  },

  resample: ([x, weights, starts], { axis }, [spec]) => {
    const length = x!.spec.shape[axis]!;
    const taps = weights!.spec.shape[1]!;
    return [
      build(spec!, (index) => {
        const i = index[axis]!;
        let sum = 0;
        for (let t = 0; t < taps; t++) {
          const weight = weights!.data[i * taps + t]!;
          const place = starts!.data[i]! + t;
          if (weight === 0 || place < 0 || place >= length) continue;
          sum += weight * x!.data[offsetOf(x!.spec.shape, index.with(axis, place))]!;
        }
        return sum;
      }),
    ];
  },
};
