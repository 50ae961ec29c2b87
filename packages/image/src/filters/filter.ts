// Cross-correlation of planes with one kernel: what the textbooks, and networks, call convolution.

import { ImageError } from '../errors.ts';
import { requireLength, type Planes } from '../floats/planes.ts';
import { KERNELS, type FilterKernel, type KernelName } from './kernels.ts';

export interface FilterOptions {
  /** A name of `KERNELS`, or a kernel. */
  readonly kernel: KernelName | FilterKernel;
  /** `valid` reads no pixel outside; `same` takes zeros there, ceil(kernel - 1) / 2 of them at the left and top. Default: valid. */
  readonly padding?: 'valid' | 'same' | undefined;
  /** Default: 1. */
  readonly stride?: number | undefined;
  /** The answers' absolute values: edges of both directions. Default: false. */
  readonly absolute?: boolean | undefined;
}

/**
 * Each plane filtered by itself. The output has (size - kernel) / stride + 1 rows and columns with `valid`, size / stride with
 * `same`, rounded down and up. Throws an ImageError for an unknown or too large kernel, or a stride that is no positive integer.
 */
export function filterPlanes(planes: Planes, options: FilterOptions): Planes {
  const { padding = 'valid', stride = 1, absolute = false } = options;
  requireLength(planes);
  const kernel = kernelOf(options.kernel);
  if (!Number.isInteger(stride) || stride < 1) {
    throw new ImageError(
      'argument',
      `filterPlanes: the stride is a whole number above 0, not ${stride}`,
    );
  }
  if (padding !== 'valid' && padding !== 'same') {
    throw new ImageError(
      'argument',
      `filterPlanes: the padding is 'valid' or 'same', not '${String(padding)}'`,
    );
  }
  const { channels, height, width, data } = planes;
  const same = padding === 'same';
  if (!same && (kernel.height > height || kernel.width > width)) {
    throw new ImageError(
      'argument',
      `filterPlanes: a kernel of ${kernel.width}x${kernel.height} does not fit planes of ${width}x${height}; use padding: 'same'`,
    );
  }
  const top = same ? (kernel.height - 1) >> 1 : 0;
  const left = same ? (kernel.width - 1) >> 1 : 0;
  const rows = same
    ? Math.ceil(height / stride)
    : Math.floor((height - kernel.height) / stride) + 1;
  const columns = same
    ? Math.ceil(width / stride)
    : Math.floor((width - kernel.width) / stride) + 1;
  const output = new Float32Array(channels * rows * columns);
  let out = 0;
  for (let c = 0; c < channels; c++) {
    const plane = data.subarray(c * height * width, (c + 1) * height * width);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const value = correlate(plane, width, height, kernel, x * stride - left, y * stride - top);
        output[out++] = absolute ? Math.abs(value) : value;
      }
    }
  }
  return { data: output, channels, height: rows, width: columns };
}

function kernelOf(value: KernelName | FilterKernel): FilterKernel {
  if (typeof value !== 'string') {
    const { height, width, weights } = value;
    if (height >= 1 && width >= 1 && weights.length === height * width) return value;
    throw new ImageError(
      'argument',
      `filterPlanes: a kernel of ${width}x${height} has ${width * height} weights, not ${weights.length}`,
    );
  }
  if (Object.hasOwn(KERNELS, value)) return KERNELS[value];
  throw new ImageError(
    'argument',
    `filterPlanes: there is no kernel '${value}'; there are ${Object.keys(KERNELS).join(', ')}`,
  );
}

/** The kernel's answer with its top left weight at `x`, `y`; zeros lie outside the plane. */
function correlate(
  plane: Float32Array,
  width: number,
  height: number,
  { height: kernelHeight, width: kernelWidth, weights }: FilterKernel,
  x: number,
  y: number,
): number {
  const fromX = Math.max(0, -x);
  const toX = Math.min(kernelWidth, width - x);
  const toY = Math.min(kernelHeight, height - y);
  let sum = 0;
  for (let j = Math.max(0, -y); j < toY; j++) {
    const row = (y + j) * width + x;
    for (let i = fromX; i < toX; i++) sum += plane[row + i]! * weights[j * kernelWidth + i]!;
  }
  return sum;
}
