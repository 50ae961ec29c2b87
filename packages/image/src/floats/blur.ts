// Gaussian blur as torchvision's: a sampled, normalised kernel, the picture mirrored at its edges.

import { ImageError } from '../errors.ts';
import { requireBytes, requireNumber, type Image } from '../image.ts';
import { fromPlanes, requireLength, toPlanes, type Planes } from './planes.ts';

export interface GaussianBlurOptions {
  /** Odd; at most twice the smaller side less one. */
  readonly kernelSize: number;
  /** In pixels. Default: 0.3 * ((kernelSize - 1) / 2 - 1) + 0.8. */
  readonly sigma?: number | undefined;
}

/** The weights of one axis, adding up to 1. Throws an ImageError for an even size or a sigma of 0 or less. */
export function gaussianWeights({ kernelSize, sigma }: GaussianBlurOptions): Float64Array {
  if (!Number.isInteger(kernelSize) || kernelSize < 1 || kernelSize % 2 === 0) {
    throw new ImageError('argument', `a Gaussian kernel has an odd size, not ${kernelSize}`);
  }
  const deviation = sigma ?? 0.3 * ((kernelSize - 1) / 2 - 1) + 0.8;
  requireNumber(deviation, "a Gaussian's sigma");
  if (deviation <= 0) {
    throw new ImageError('argument', `a Gaussian's sigma is above 0, not ${deviation}`);
  }
  const middle = (kernelSize - 1) / 2;
  const weights = Float64Array.from({ length: kernelSize }, (_, i) =>
    Math.exp(-0.5 * ((i - middle) / deviation) ** 2),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Each plane blurred. Throws an ImageError where the kernel reaches over a whole side. */
export function gaussianBlurPlanes(planes: Planes, options: GaussianBlurOptions): Planes {
  const weights = gaussianWeights(options);
  requireLength(planes);
  const { channels, height, width, data } = planes;
  const reach = (weights.length - 1) / 2;
  if (reach >= width || reach >= height) {
    throw new ImageError(
      'argument',
      `gaussianBlur: a kernel of ${weights.length} needs pictures of more than ${reach} pixels a side, not ${width}x${height}`,
    );
  }
  const output = new Float32Array(data.length);
  const rows = new Float64Array(width * height);
  for (let c = 0; c < channels; c++) {
    const plane = data.subarray(c * width * height, (c + 1) * width * height);
    const target = output.subarray(c * width * height, (c + 1) * width * height);
    along(plane, rows, weights, { lines: height, lineStep: width, size: width, step: 1 });
    along(rows, target, weights, { lines: width, lineStep: 1, size: height, step: width });
  }
  return { ...planes, data: output };
}

interface Direction {
  readonly lines: number;
  readonly lineStep: number;
  readonly size: number;
  readonly step: number;
}

type Floats = Float32Array | Float64Array;

function along(
  input: Floats,
  output: Floats,
  weights: Float64Array,
  { lines, lineStep, size, step }: Direction,
): void {
  const reach = (weights.length - 1) / 2;
  for (let line = 0; line < lines; line++) {
    const begin = line * lineStep;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) {
        const mirrored = Math.abs(i + k - reach);
        const at = mirrored < size ? mirrored : 2 * (size - 1) - mirrored;
        sum += input[begin + at * step]! * weights[k]!;
      }
      output[begin + i * step] = sum;
    }
  }
}

/** A picture blurred: `gaussianBlurPlanes` on its values, rounded to 8 bits. */
export function gaussianBlur(image: Image, options: GaussianBlurOptions): Image {
  requireBytes(image, 'gaussianBlur');
  return fromPlanes(gaussianBlurPlanes(toPlanes(image), options));
}
