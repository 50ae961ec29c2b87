// Where the elements of a convolution meet, an axis at a time: output o and tap k meet element i of the input where
// o * stride + k * rhsDilation - low = i * lhsDilation.

import type { ConvGeometry } from './conv.ts';

export interface MeetingAxis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly lhsDilation: number;
  readonly rhsDilation: number;
  readonly low: number;
}

export interface MeetingAxes {
  readonly y: MeetingAxis;
  readonly x: MeetingAxis;
}

export function axesOf(geometry: ConvGeometry): MeetingAxes {
  const axis = (i: 0 | 1): MeetingAxis => ({
    input: geometry.size[i],
    output: geometry.outputSize[i],
    kernel: geometry.kernelSize[i],
    stride: geometry.stride[i],
    lhsDilation: geometry.lhsDilation[i],
    rhsDilation: geometry.dilation[i],
    low: geometry.padding[i === 0 ? 0 : 2],
  });
  return { y: axis(0), x: axis(1) };
}

/** Words of a command: each of these quantities along y, then along x. */
export function axisWords(
  { y, x }: MeetingAxes,
  ...quantities: readonly (keyof MeetingAxis)[]
): number[] {
  return quantities.flatMap((quantity) => [y[quantity], x[quantity]]);
}

export function tapCount({ kernelSize }: Pick<ConvGeometry, 'kernelSize'>): number {
  return kernelSize[0] * kernelSize[1];
}

/** Whether each channel is convolved by itself. One channel in all is an ordinary convolution. */
export function isDepthwise({
  channels,
  groups,
}: Pick<ConvGeometry, 'channels' | 'groups'>): boolean {
  return channels > 1 && groups === channels;
}

/** The same meetings seen from the input, with taps counted from the other end. */
export function reversedAxis(axis: MeetingAxis): MeetingAxis {
  return {
    ...axis,
    input: axis.output,
    output: axis.input,
    stride: axis.lhsDilation,
    lhsDilation: axis.stride,
    low: (axis.kernel - 1) * axis.rhsDilation - axis.low,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Of one output position: the taps that meet an element are `tap` apart, and their elements `element`. */
export function tapSteps(axis: MeetingAxis): { tap: number; element: number } {
  const shared = greatestCommonDivisor(axis.rhsDilation, axis.lhsDilation);
  return { tap: axis.lhsDilation / shared, element: axis.rhsDilation / shared };
}

/** Of one tap: the outputs that meet an element are `output` apart, and their elements `element`. */
export function outputSteps(axis: MeetingAxis): { output: number; element: number } {
  const shared = greatestCommonDivisor(axis.stride, axis.lhsDilation);
  return { output: axis.lhsDilation / shared, element: axis.stride / shared };
}

/** Of tap `k`: the first output that meets an element, that element, and how many outputs do. */
export function outputsOfTap(
  axis: MeetingAxis,
  k: number,
): { first: number; element: number; count: number } {
  const { input, output, stride, lhsDilation, rhsDilation, low } = axis;
  const offset = k * rhsDilation - low;
  let first = Math.max(0, Math.ceil(-offset / stride));
  const { output: step, element: elementStep } = outputSteps(axis);
  const last = first + step;
  while (first < last && (first * stride + offset) % lhsDilation !== 0) first++;
  const element = (first * stride + offset) / lhsDilation;
  if (first === last || first >= output || element >= input)
    return { first: 0, element: 0, count: 0 };
  const count = Math.min(
    Math.floor((output - 1 - first) / step),
    Math.floor((input - 1 - element) / elementStep),
  );
  return { first, element, count: count + 1 };
}
