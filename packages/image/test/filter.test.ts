import { assert, constantFrom, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  filterPlanes,
  gaussianKernel,
  Image,
  ImageError,
  kernel,
  KERNELS,
  toPlanes,
  type FilterKernel,
  type KernelName,
  type Planes,
} from '../src/index.ts';
import { largestDifference, noise, randomOf } from './samples.ts';

/** By the definition, on a plane with margins of zeros. */
function naive(planes: Planes, k: FilterKernel, same: boolean, stride: number): number[] {
  const { data, channels, height, width } = planes;
  const [top, left] = same ? [(k.height - 1) >> 1, (k.width - 1) >> 1] : [0, 0];
  const [rows, columns] = same ? [height, width] : [height - k.height + 1, width - k.width + 1];
  const result: number[] = [];
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < rows; y += stride) {
      for (let x = 0; x < columns; x += stride) {
        let sum = 0;
        for (const [i, weight] of k.weights.entries()) {
          const [row, column] = [y - top + Math.floor(i / k.width), x - left + (i % k.width)];
          const outside = row < 0 || row >= height || column < 0 || column >= width;
          sum += outside ? 0 : weight * data[(c * height + row) * width + column]!;
        }
        result.push(sum);
      }
    }
  }
  return result;
}

const side = integer({ min: 1, max: 5 });

describe('filterPlanes', () => {
  it('is the cross-correlation, for any kernel, padding and stride', () => {
    assert(
      property(
        side,
        side,
        integer({ min: 1, max: 3 }),
        constantFrom('valid', 'same'),
        integer({ min: 5, max: 9 }),
        (kh, kw, stride, padding, width) => {
          const random = randomOf(kh * 7 + kw);
          const own = kernel(
            Array.from({ length: kh }, () => Array.from({ length: kw }, () => random() - 0.5)),
          );
          const planes = toPlanes(noise(width, 6, 3));
          const result = filterPlanes(planes, {
            kernel: own,
            padding: padding as 'same',
            stride,
          });
          const expected = naive(planes, own, padding === 'same', stride);
          expect(result.data.length).toBe(result.channels * result.height * result.width);
          expect(largestDifference(result.data, expected)).toBeLessThan(1e-6);
        },
      ),
    );
  });

  it('gives absolute values where asked', () => {
    const planes = toPlanes(noise(8, 8, 1));
    const plain = filterPlanes(planes, { kernel: 'sobelX' });
    const absolute = filterPlanes(planes, { kernel: 'sobelX', absolute: true });
    expect(Math.min(...plain.data)).toBeLessThan(0);
    expect(absolute.data).toEqual(plain.data.map(Math.abs));
  });

  it("finds the course's vertical edge: 0 30 30 0 over a 6x6 picture", () => {
    const picture = new Image({ width: 6, height: 6, channels: 1 });
    for (let i = 0; i < 36; i++) picture.data[i] = i % 6 < 3 ? 10 : 0;
    const planes = toPlanes(picture, { scale: 1 });
    const { data } = filterPlanes(planes, { kernel: 'verticalEdges' });
    expect(Array.from(data)).toEqual([0, 1, 2, 3].flatMap(() => [0, 30, 30, 0]));
    const negative = filterPlanes(planes, { kernel: 'verticalEdgesNegative' });
    expect(negative.data[1]).toBe(-30);
  });

  it.each<[string, object, RegExp]>([
    ['a kernel that there is not', { kernel: 'canny' }, /no kernel 'canny'.*sobelX/],
    ["a name of Object's", { kernel: 'constructor' }, /no kernel/],
    ['a kernel that is too large', { kernel: gaussianKernel({ kernelSize: 9 }) }, /does not fit/],
    ['stride 0', { kernel: 'box', stride: 0 }, /above 0/],
    ['another padding', { kernel: 'box', padding: 'full' }, /not 'full'/],
    ['missing weights', { kernel: { height: 2, width: 2, weights: [1] } }, /has 4 weights, not 1/],
  ])('refuses %s', (_, options, message) => {
    const run = () => filterPlanes(toPlanes(noise(4, 4, 1)), options as { kernel: 'box' });
    expect(run).toThrow(ImageError);
    expect(run).toThrow(message);
  });
});

describe('kernels', () => {
  const sumOf = ({ weights }: FilterKernel): number => weights.reduce((a, b) => a + b, 0);

  it('of edges add up to 0, the smoothing and sharpening ones to 1', () => {
    for (const name of Object.keys(KERNELS) as KernelName[]) {
      const expected = ['sharpen', 'box', 'identity'].includes(name) ? 1 : 0;
      expect(sumOf(KERNELS[name])).toBeCloseTo(expected, 12);
    }
    expect(sumOf(gaussianKernel({ kernelSize: 5, sigma: 1.2 }))).toBeCloseTo(1, 12);
  });

  it('along y are those along x transposed', () => {
    for (const name of ['sobel', 'scharr', 'prewitt'] as const) {
      const { weights } = KERNELS[`${name}X`];
      const transposed = weights.map((_, i) => weights[(i % 3) * 3 + Math.floor(i / 3)]);
      expect(KERNELS[`${name}Y`].weights).toEqual(transposed);
    }
  });

  it('of rows must be whole', () => {
    expect(() => kernel([[1, 2], [3]])).toThrow(/one length/);
    expect(() => kernel([])).toThrow(ImageError);
    expect(() => kernel([[NaN]])).toThrow(/finite/);
  });
});
