// Convolutions as correlations of packed images, where channels fill texels; null where they do not, and one element a thread
// computes them (see conv.ts).

import { sizeOf, type Conv2dAttributes, type Pair, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { dilateImage, texelsOf } from '../images.ts';
import type { Kit, Value } from '../kernel.ts';
import { Storage } from '../storage.ts';
import {
  correlate,
  gatherImage,
  packFilters,
  type Correlation,
  type Finish,
} from './packed-correlation.ts';

/** Filters are unrolled along rows up to here. */
const WIDEST = 16;

/** Whether each group begins with a texel of its own. */
function fills(groups: number, ...channels: readonly number[]): boolean {
  return groups === 1 || channels.every((count) => (count / groups) % 4 === 0);
}

/** An image with zeros between its pixels, and its shape. */
function dilated(kit: Kit, x: Value, step: Pair): { image: Buffer; shape: Shape } {
  const image = kit.image(x);
  const { shape } = x.spec;
  if (step[0] === 1 && step[1] === 1) return { image, shape };
  const [n, channels, height, width] = shape as [number, number, number, number];
  const wide = [n, channels, (height - 1) * step[0] + 1, (width - 1) * step[1] + 1];
  const made = kit.launch('dilate', kit.texels(texelsOf(wide)), [image], () =>
    dilateImage(shape, step),
  );
  return { image: kit.passing(made), shape: wide };
}

function correlateImages(
  kit: Kit,
  image: Buffer,
  filters: Buffer,
  correlation: Correlation,
  finish?: Finish,
): Storage {
  const made = correlate(kit, 'correlate', image, filters, inOneRow(correlation), finish);
  return Storage.ofImage(gatherImage(kit, made), correlation.output);
}

/** Pixels on their own need no rows: threads then end unevenly once an image, not once a row. */
function inOneRow(correlation: Correlation): Correlation {
  const { input, output, kernel, stride, padding } = correlation;
  const single = kernel[0] * kernel[1] * stride[0] * stride[1] === 1;
  if (!single || padding[0] !== 0 || padding[1] !== 0 || !sameSize(input, output)) {
    return correlation;
  }
  return { ...correlation, input: rowOf(input), output: rowOf(output) };
}

const rowOf = (shape: Shape): Shape => [shape[0]!, shape[1]!, 1, shape[2]! * shape[3]!];
const sameSize = (a: Shape, b: Shape): boolean => a[2] === b[2] && a[3] === b[3];

export function packedConvolution(
  kit: Kit,
  x: Value,
  filter: Value,
  { stride, padding, lhsDilation, rhsDilation, groups }: Conv2dAttributes,
  output: Shape,
  finish?: Finish,
): Storage | null {
  const [outputs, inputs, ...kernel] = filter.spec.shape as [number, number, number, number];
  if (!kit.device.packs || kernel[1] > WIDEST || !fills(groups, outputs, x.spec.shape[1]!))
    return null;
  if (sizeOf(output) === 0 || sizeOf(x.spec.shape) === 0) return null;
  const { image, shape } = dilated(kit, x, lhsDilation);
  const taps = kernel[0] * kernel[1];
  const filters = packFilters(kit, filter, {
    outputs,
    inputs,
    kernel,
    strides: [inputs * taps, taps, kernel[1], 1],
    offset: 0,
  });
  const correlation = {
    input: shape,
    output,
    kernel,
    stride,
    dilation: rhsDilation,
    padding: [padding[0], padding[2]] as const,
    groups,
  };
  return correlateImages(kit, image, filters, correlation, finish);
}

/** The gradient, with zeros put where the stride left pixels out, correlated with the turned filters. */
export function packedInputGradient(
  kit: Kit,
  gradient: Value,
  filter: Value,
  { stride, padding, lhsDilation, rhsDilation, groups }: Conv2dAttributes,
  output: Shape,
): Storage | null {
  const [outputs, inputs, ...kernel] = filter.spec.shape as [number, number, number, number];
  if (!kit.device.packs || kernel[1] > WIDEST || groups !== 1) return null;
  if (sizeOf(output) === 0 || sizeOf(gradient.spec.shape) === 0) return null;
  const { image, shape } = dilated(kit, gradient, stride);
  const taps = kernel[0] * kernel[1];
  const filters = packFilters(kit, filter, {
    outputs: inputs,
    inputs: outputs,
    kernel,
    strides: [taps, inputs * taps, -kernel[1], -1],
    offset: taps - 1,
  });
  return correlateImages(kit, image, filters, {
    input: shape,
    output,
    kernel,
    stride: lhsDilation,
    dilation: rhsDilation,
    padding: [
      (kernel[0] - 1) * rhsDilation[0] - padding[0],
      (kernel[1] - 1) * rhsDilation[1] - padding[2],
    ],
    groups: 1,
  });
}
