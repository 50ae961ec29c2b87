// Where the elements of a convolution meet. Images are laid out in planes that hold exactly what the windows reach, with
// their padding and dilation written out as zeros; tables of offsets into such planes then need no bounds. Images whose
// windows never leave them are read in place.

import type { Conv2dAttributes, Shape } from '@convoke/backend-api';
import type { Arrays } from '../kernel.ts';

/** One axis: output position o and tap k meet element i of the input where i * lhsDilation = o * stride + k * rhsDilation - low. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly lhsDilation: number;
  readonly rhsDilation: number;
  readonly low: number;
}

export interface Geometry {
  readonly batch: number;
  readonly groups: number;
  /** Channels of a group. */
  readonly inputs: number;
  readonly outputs: number;
  readonly y: Axis;
  readonly x: Axis;
}

/** Of shapes [N, C, H, W], [O, C/groups, kH, kW] and [N, O, H', W']. */
export function geometryOf(
  input: Shape,
  filter: Shape,
  output: Shape,
  { stride, padding, lhsDilation, rhsDilation, groups }: Conv2dAttributes,
): Geometry {
  const [y, x] = [0, 1].map((i) => ({
    input: input[2 + i]!,
    output: output[2 + i]!,
    kernel: filter[2 + i]!,
    stride: stride[i]!,
    lhsDilation: lhsDilation[i]!,
    rhsDilation: rhsDilation[i]!,
    low: padding[2 * i]!,
  })) as [Axis, Axis];
  return {
    batch: input[0]!,
    groups,
    inputs: filter[1]!,
    outputs: filter[0]! / groups,
    y,
    x,
  };
}

function reversedAxis({
  input,
  output,
  kernel,
  stride,
  lhsDilation,
  rhsDilation,
  low,
}: Axis): Axis {
  return {
    input: output,
    output: input,
    kernel,
    stride: lhsDilation,
    lhsDilation: stride,
    rhsDilation,
    low: (kernel - 1) * rhsDilation - low,
  };
}

/** The same meetings seen from the output, with taps counted from the other end. */
export function reversed(g: Geometry): Geometry {
  return {
    ...g,
    inputs: g.outputs,
    outputs: g.inputs,
    y: reversedAxis(g.y),
    x: reversedAxis(g.x),
  };
}

/** Elements that windows reach along an axis, from the first element of the first to the last of the last. */
export function reach({ output, kernel, stride, rhsDilation }: Axis): number {
  return output === 0 ? 0 : (output - 1) * stride + (kernel - 1) * rhsDilation + 1;
}

export function taps({ y, x }: Geometry): number {
  return y.kernel * x.kernel;
}

export function inputSize({ y, x }: Geometry): number {
  return y.input * x.input;
}

export function outputSize({ y, x }: Geometry): number {
  return y.output * x.output;
}

/** Strides and origin of planes that windows can walk without bounds. */
export interface Planes {
  readonly origin: number;
  readonly rowStride: number;
  readonly planeStride: number;
}

function staysInside(axis: Axis): boolean {
  return axis.lhsDilation === 1 && axis.low <= 0 && reach(axis) - axis.low <= axis.input;
}

/** The input's own planes where windows never leave them, else null. */
function planesInPlace({ y, x }: Geometry): Planes | null {
  if (!staysInside(y) || !staysInside(x)) return null;
  return {
    origin: -y.low * x.input - x.low,
    rowStride: x.input,
    planeStride: y.input * x.input,
  };
}

export function laidOutPlanes({ y, x }: Geometry): Planes {
  return { origin: 0, rowStride: reach(x), planeStride: reach(y) * reach(x) };
}

/** First and one past the last input element that lies in the reach of the windows. */
function reachedInputs(axis: Axis): [number, number] {
  const { low, lhsDilation, input } = axis;
  const first = Math.max(0, Math.ceil(-low / lhsDilation));
  const last = Math.floor((reach(axis) - 1 - low) / lhsDilation);
  return [first, Math.max(first, Math.min(input, last + 1))];
}

/** Writes input planes into laid-out planes, of which all else is zero already. */
export function layOut(
  { y, x }: Geometry,
  source: Float32Array,
  offset: number,
  planes: number,
  target: Float32Array | Float64Array,
): void {
  const rowStride = reach(x);
  const planeStride = reach(y) * rowStride;
  const [yStart, yEnd] = reachedInputs(y);
  const [xStart, xEnd] = reachedInputs(x);
  const step = x.lhsDilation;
  for (let plane = 0; plane < planes; plane++) {
    const from = offset + plane * y.input * x.input;
    for (let row = yStart; row < yEnd; row++) {
      const s = from + row * x.input;
      let t =
        plane * planeStride + (row * y.lhsDilation + y.low) * rowStride + xStart * step + x.low;
      for (let column = xStart; column < xEnd; column++) {
        target[t] = source[s + column]!;
        t += step;
      }
    }
  }
}

/** The way back: reads input planes out of laid-out planes; what no window reaches is zero. */
export function takeUp(
  { y, x }: Geometry,
  source: Float64Array,
  target: Float32Array,
  offset: number,
  planes: number,
): void {
  const rowStride = reach(x);
  const planeStride = reach(y) * rowStride;
  const [yStart, yEnd] = reachedInputs(y);
  const [xStart, xEnd] = reachedInputs(x);
  const step = x.lhsDilation;
  target.fill(0, offset, offset + planes * y.input * x.input);
  for (let plane = 0; plane < planes; plane++) {
    const to = offset + plane * y.input * x.input;
    for (let row = yStart; row < yEnd; row++) {
      const t = to + row * x.input;
      let s =
        plane * planeStride + (row * y.lhsDilation + y.low) * rowStride + xStart * step + x.low;
      for (let column = xStart; column < xEnd; column++) {
        target[t + column] = source[s]!;
        s += step;
      }
    }
  }
}

/** Offset of each tap of each input channel of a group, in the filter's order. */
export function tapOffsets({ inputs, y, x }: Geometry, planes: Planes): Int32Array {
  const offsets = new Int32Array(inputs * y.kernel * x.kernel);
  let i = 0;
  for (let channel = 0; channel < inputs; channel++) {
    for (let ky = 0; ky < y.kernel; ky++) {
      for (let kx = 0; kx < x.kernel; kx++) {
        offsets[i++] =
          channel * planes.planeStride + ky * y.rhsDilation * planes.rowStride + kx * x.rhsDilation;
      }
    }
  }
  return offsets;
}

/** Offset of the first tap of each output position of `images` images that lie `imageStride` apart. */
export function windowOffsets(
  { y, x }: Geometry,
  planes: Planes,
  images: number,
  imageStride: number,
): Int32Array {
  const offsets = new Int32Array(images * y.output * x.output);
  let i = 0;
  for (let image = 0; image < images; image++) {
    for (let row = 0; row < y.output; row++) {
      const start = image * imageStride + planes.origin + row * y.stride * planes.rowStride;
      for (let column = 0; column < x.output; column++) offsets[i++] = start + column * x.stride;
    }
  }
  return offsets;
}

/** Offset of each element of a plane of `size`, for `images` images that lie `imageStride` apart. */
export function elementOffsets(size: number, images: number, imageStride: number): Int32Array {
  const offsets = new Int32Array(images * size);
  let i = 0;
  for (let image = 0; image < images; image++) {
    for (let element = 0; element < size; element++) offsets[i++] = image * imageStride + element;
  }
  return offsets;
}

const MAX_LAID_OUT = 1 << 20;
const MAX_WINDOWS = 1 << 16;

/** How many images to treat at once: enough to fill blocks, few enough to keep scratch and tables small. */
export function imagesAtOnce(g: Geometry): number {
  const elements = Math.max(1, g.inputs * reach(g.y) * reach(g.x));
  const windows = Math.max(1, outputSize(g));
  const fitting = Math.min(Math.floor(MAX_LAID_OUT / elements), Math.floor(MAX_WINDOWS / windows));
  return Math.max(1, Math.min(g.batch, fitting));
}

/** A group's channels of some images, ready for windows. */
export interface WindowSource {
  readonly planes: Planes;
  readonly imageStride: number;
  /** Where the data of the group `group` of the images from `firstImage` on lies. */
  at(group: number, firstImage: number, images: number): { data: Float32Array; offset: number };
  dispose(): void;
}

export function windowSource(
  g: Geometry,
  data: Float32Array,
  images: number,
  arrays: Arrays,
): WindowSource {
  const size = inputSize(g);
  const offset = (group: number, image: number): number =>
    (image * g.groups + group) * g.inputs * size;
  const inPlace = planesInPlace(g);
  if (inPlace) {
    return {
      planes: inPlace,
      imageStride: g.groups * g.inputs * size,
      at: (group, firstImage) => ({ data, offset: offset(group, firstImage) }),
      dispose() {},
    };
  }
  const planes = laidOutPlanes(g);
  const imageStride = g.inputs * planes.planeStride;
  const scratch = arrays.zeros('float32', images * imageStride);
  return {
    planes,
    imageStride,
    at(group, firstImage, count) {
      for (let image = 0; image < count; image++) {
        const target = scratch.subarray(image * imageStride, (image + 1) * imageStride);
        layOut(g, data, offset(group, firstImage + image), g.inputs, target);
      }
      return { data: scratch, offset: 0 };
    },
    dispose: () => arrays.give(scratch),
  };
}
