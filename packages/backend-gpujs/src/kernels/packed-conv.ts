// Convolutions as correlations of packed images, where channels fill texels; null where they do not, and one element a thread
// computes them (see conv.ts).

import { sizeOf, type Conv2dAttributes, type Pair, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { blocksOf, coordinates, dilateImage, gather, texelsOf } from '../images.ts';
import type { Kit, Value } from '../kernel.ts';
import { Storage } from '../storage.ts';
import { hasProducts, packedFilterGradient } from './packed-filter-gradient.ts';
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

/** Whether each channel has one filter of its own. */
const isDepthwise = (groups: number, filter: Shape, channels: number): boolean =>
  groups > 1 && groups === channels && filter[0] === channels;

/** Filters [C, 1, kH, kW] as texels of four channels, turned by half a turn for gradients. */
function packTaps(kit: Kit, { spec, storage }: Value, turned: boolean): Buffer {
  const key = `taps ${turned}`;
  const known = storage.filters.get(key);
  if (known) return known;
  const [channels, , rows, columns] = spec.shape as [number, number, number, number];
  const taps = rows * columns;
  const layout = kit.texels(blocksOf(channels) * taps);
  const shared = `${key} ${channels} ${taps}`;
  const packed = kit.shared(shared, layout, [kit.flat({ storage })], () => ({
    arguments: ['filter'],
    glsl: `vec4 compute() {
${coordinates({ block: blocksOf(channels), own: taps })}
int at = block * ${4 * taps} + ${turned ? `${taps - 1} - own` : 'own'};
return ${gather('filter', 'at', taps, 'block * 4', channels)};
}`,
  }));
  storage.filters.set(key, packed);
  return packed;
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
  if (correlation.groups === 'depthwise') return correlation;
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
  const depthwise = isDepthwise(groups, filter.spec.shape, x.spec.shape[1]!);
  if (!kit.device.packs || kernel[1] > WIDEST) return null;
  if (!depthwise && !fills(groups, outputs, x.spec.shape[1]!)) return null;
  if (sizeOf(output) === 0 || sizeOf(x.spec.shape) === 0) return null;
  const { image, shape } = dilated(kit, x, lhsDilation);
  const taps = kernel[0] * kernel[1];
  const filters = depthwise
    ? packTaps(kit, filter, false)
    : packFilters(kit, filter, {
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
    groups: depthwise ? ('depthwise' as const) : groups,
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
  const depthwise = isDepthwise(groups, filter.spec.shape, output[1]!);
  if (!kit.device.packs || kernel[1] > WIDEST || (groups !== 1 && !depthwise)) return null;
  if (sizeOf(output) === 0 || sizeOf(gradient.spec.shape) === 0) return null;
  const { image, shape } = dilated(kit, gradient, stride);
  const taps = kernel[0] * kernel[1];
  const filters = depthwise
    ? packTaps(kit, filter, true)
    : packFilters(kit, filter, {
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
    groups: depthwise ? 'depthwise' : 1,
  });
}

export function packedFilterGradientOf(
  kit: Kit,
  x: Value,
  gradient: Value,
  attributes: Conv2dAttributes,
  output: Shape,
): Buffer | null {
  const shapes = { x: x.spec.shape, gradient: gradient.spec.shape, filter: output };
  const { groups, lhsDilation } = attributes;
  if (!kit.device.packs || !hasProducts(shapes)) return null;
  const channels = x.spec.shape[1]!;
  if (!isDepthwise(groups, output, channels) && !fills(groups, output[0]!, channels)) return null;
  const { image, shape } = dilated(kit, x, lhsDilation);
  return packedFilterGradient(kit, image, kit.image(gradient), attributes, { ...shapes, x: shape });
}
