// Depthwise convolution (groups = C) of NHWC images and its gradients: which kernel fits, and in how many chunks. 3x3 and 5x5
// with a multiplier of 1 are fast: with strides 1 and 2 (3x3 forward and filters' gradients also with others, and dilated). All
// else is general.

import type { Encoder } from '../encoder.ts';
import { f32 } from '../encoder.ts';
import type { ConvGeometry } from './conv.ts';
import {
  axesOf,
  axisWords,
  outputSteps,
  reversedAxis,
  tapCount,
  tapSteps,
  type MeetingAxes,
  type MeetingAxis,
} from './conv-axes.ts';
import { cutWork, LEAST_WORK } from './cut.ts';

/** Of a piece of a row: 32 channels of 112 x 112 take 0.20 ms in pieces of 56 columns, 0.24 in whole rows. */
const MOST_COLUMNS = 64;
/** Partial sums of a filter's gradient at most: their number depends on the geometry alone, so results do too. */
const MOST_PARTS = 48;
const PART_BYTES = 2 ** 22;

const unbounded: readonly [number, number] = [-Infinity, Infinity];

/** Channels read and written, and how many of those read each of those written sums. */
interface Channels {
  readonly inputs: number;
  readonly outputs: number;
  readonly shares: number;
}

function multiplierOf(geometry: ConvGeometry): number {
  return geometry.outputs / geometry.channels;
}

/** 3 or 5 where kernels of that size exist, else 0. */
function fastKernel(geometry: ConvGeometry): 0 | 3 | 5 {
  const [height, width] = geometry.kernelSize;
  const square = height === width && (height === 3 || height === 5);
  return square && multiplierOf(geometry) === 1 ? height : 0;
}

function every(pair: readonly [number, number], value: number): boolean {
  return pair[0] === value && pair[1] === value;
}

/** Whether the input's gradient is spread from the output's gradient. */
function isSpread(geometry: ConvGeometry): boolean {
  return (
    fastKernel(geometry) !== 0 &&
    every(geometry.stride, 2) &&
    every(geometry.lhsDilation, 1) &&
    every(geometry.dilation, 1)
  );
}

/** Bytes of the packed filter, [O/4][taps][4]. */
export function packedDepthwiseBytes(geometry: ConvGeometry): number {
  return Math.ceil(geometry.outputs / 4) * tapCount(geometry) * 16;
}

/** Bytes of the filter packed for the input's gradient, [C/4][taps][multiplier][4]. */
export function packedDepthwiseGradientBytes(geometry: ConvGeometry): number {
  return Math.ceil(geometry.channels / 4) * tapCount(geometry) * multiplierOf(geometry) * 16;
}

interface PackPlan {
  /** [O, 1, kH, kW] */
  readonly filter: number;
  readonly packed: number;
  readonly geometry: ConvGeometry;
}

/** Packs a filter for planDepthwise. */
export function planPackDepthwise(e: Encoder, { filter, packed, geometry }: PackPlan): void {
  pack(e, filter, packed, geometry.outputs, tapCount(geometry), 1, false);
}

/** Packs a filter for planDepthwiseInputGradient. */
export function planPackDepthwiseGradient(
  e: Encoder,
  { filter, packed, geometry }: PackPlan,
): void {
  pack(e, filter, packed, geometry.channels, tapCount(geometry), multiplierOf(geometry), true);
}

function pack(
  e: Encoder,
  filter: number,
  packed: number,
  channels: number,
  taps: number,
  shares: number,
  turned: boolean,
): void {
  const blocks = Math.ceil(channels / 4);
  if (blocks === 0) return;
  const { chunks, perChunk } = cutWork(e, blocks, taps * shares * 32);
  const words = [filter, packed, channels, taps, shares, turned ? 1 : 0, perChunk];
  e.emit('packDepthwise', chunks, words);
}

export interface DepthwisePlan {
  /** [N, H, W, C] */
  readonly x: number;
  /** Packed by planPackDepthwise. */
  readonly weight: number;
  /** [O], or 0 for none. */
  readonly bias: number;
  /** Of y's geometry, added before the bounds apply; 0 for none. May be y itself. */
  readonly residual: number;
  /** [N, H', W', O] */
  readonly y: number;
  readonly geometry: ConvGeometry;
  /** Bounds of the result; infinities for none. */
  readonly clamp: readonly [number, number];
}

export function planDepthwise(e: Encoder, plan: DepthwisePlan): void {
  const { geometry } = plan;
  convolve(
    e,
    plan,
    geometry.batch,
    axesOf(geometry),
    { inputs: geometry.channels, outputs: geometry.outputs, shares: 1 },
    fastKernel(geometry),
  );
}

export interface DepthwiseInputGradientPlan {
  /** Gradient of the output, [N, H', W', O]. */
  readonly gradient: number;
  /** Packed by planPackDepthwiseGradient. */
  readonly weight: number;
  /** Where the gradient of the input goes, [N, H, W, C]. */
  readonly out: number;
  readonly geometry: ConvGeometry;
}

export function planDepthwiseInputGradient(e: Encoder, plan: DepthwiseInputGradientPlan): void {
  const { gradient, weight, out, geometry } = plan;
  const { y, x } = axesOf(geometry);
  const fast = fastKernel(geometry);
  const addresses = { x: gradient, weight, bias: 0, residual: 0, y: out, clamp: unbounded };
  if (isSpread(geometry)) {
    emitFast(
      e,
      fast === 3 ? 'depthwiseSpread3' : 'depthwiseSpread5',
      addresses,
      geometry.batch,
      geometry.channels,
      {
        y: exchanged(y),
        x: exchanged(x),
      },
    );
    return;
  }
  convolve(
    e,
    addresses,
    geometry.batch,
    { y: reversedAxis(y), x: reversedAxis(x) },
    { inputs: geometry.outputs, outputs: geometry.channels, shares: multiplierOf(geometry) },
    fast,
  );
}

type FastKernel =
  | `depthwise${'Rolling' | 'Spread'}${3 | 5}`
  | `depthwiseRolling${3 | 5}Stride2`
  | 'depthwiseStrided3';
type Addresses = Omit<DepthwisePlan, 'geometry'>;

/** Seen from the input, with the padding and stride of the convolution itself. */
function exchanged(axis: MeetingAxis): MeetingAxis {
  return { ...axis, input: axis.output, output: axis.input };
}

function convolve(
  e: Encoder,
  addresses: Addresses,
  n: number,
  axes: MeetingAxes,
  channels: Channels,
  fast: 0 | 3 | 5,
): void {
  const kernel = fast === 0 ? null : forwardKernel(fast, axes);
  if (kernel) emitFast(e, kernel, addresses, n, channels.inputs, axes);
  else emitGeneral(e, addresses, n, axes, channels);
}

function forwardKernel(size: 3 | 5, { y, x }: MeetingAxes): FastKernel | null {
  if (y.lhsDilation !== 1 || x.lhsDilation !== 1) return null;
  if (x.rhsDilation === 1 && x.stride === 1) return `depthwiseRolling${size}`;
  if (x.rhsDilation === 1 && x.stride === 2) return `depthwiseRolling${size}Stride2`;
  return size === 3 ? 'depthwiseStrided3' : null;
}

function emitFast(
  e: Encoder,
  kernel: FastKernel,
  { x: from, weight, bias, residual, y: to, clamp }: Addresses,
  n: number,
  c: number,
  axes: MeetingAxes,
): void {
  const { y, x } = axes;
  const rows = n * y.output;
  if (rows * x.output * c === 0) return;
  const { chunks, perChunk } = cutWork(e, rows, x.output * c * y.kernel * x.kernel);
  const inPieces = kernel === 'depthwiseRolling3' || kernel === 'depthwiseRolling5';
  const pieces = inPieces ? Math.ceil(x.output / MOST_COLUMNS) : 1;
  e.emit(kernel, chunks * pieces, [
    from,
    e.zeros(x.input * c * 4),
    weight,
    bias || e.zeros(c * 4),
    residual,
    to,
    c,
    ...axisWords(axes, 'input', 'output', 'low', 'stride', 'rhsDilation'),
    rows,
    perChunk,
    f32(clamp[0]),
    f32(clamp[1]),
    pieces,
    Math.ceil(x.output / pieces),
  ]);
}

function emitGeneral(
  e: Encoder,
  { x: from, weight, bias, residual, y: to, clamp }: Addresses,
  n: number,
  axes: MeetingAxes,
  { inputs, outputs, shares }: Channels,
): void {
  const { y, x } = axes;
  const pixels = n * y.output * x.output;
  if (pixels * outputs === 0) return;
  const [up, down] = outputs > inputs ? [1, outputs / inputs] : [inputs / outputs, 1];
  const work = y.kernel * x.kernel * outputs * shares;
  const { chunks, perChunk } = cutWork(e, pixels, work * 8);
  const [steps, stepsX] = [tapSteps(y), tapSteps(x)];
  e.emit('depthwiseGeneral', chunks, [
    from,
    weight,
    bias || e.zeros(outputs * 4),
    residual,
    to,
    inputs,
    outputs,
    up,
    down,
    shares,
    ...axisWords(axes, 'input', 'output', 'kernel', 'low', 'stride', 'rhsDilation', 'lhsDilation'),
    steps.tap,
    stepsX.tap,
    steps.element,
    stepsX.element,
    pixels,
    perChunk,
    f32(clamp[0]),
    f32(clamp[1]),
  ]);
}

export interface DepthwiseFilterGradientPlan {
  /** [N, H, W, C] */
  readonly x: number;
  /** Gradient of the output, [N, H', W', O]. */
  readonly gradient: number;
  /** Where the gradient of the filter goes, plain [O, 1, kH, kW]. */
  readonly out: number;
  readonly geometry: ConvGeometry;
}

export function planDepthwiseFilterGradient(e: Encoder, plan: DepthwiseFilterGradientPlan): void {
  const { geometry } = plan;
  const axes = axesOf(geometry);
  const { y, x } = axes;
  const bytes = packedDepthwiseBytes(geometry);
  if (bytes === 0) return;
  const rows = geometry.batch * geometry.outputSize[0];
  const work = geometry.outputSize[1] * geometry.outputs * tapCount(geometry);
  const parts = Math.min(
    MOST_PARTS,
    Math.floor(PART_BYTES / bytes),
    Math.floor((rows * work) / LEAST_WORK),
  );
  const rowsPerPart = Math.max(1, Math.ceil(rows / Math.max(1, parts)));
  const count = Math.ceil(rows / rowsPerPart);
  const sums = e.workspace(count * bytes);
  const fast = fastKernel(geometry);
  if (fast !== 0 && y.lhsDilation === 1 && x.lhsDilation === 1) {
    e.emit(fast === 3 ? 'depthwiseTapSums3' : 'depthwiseTapSums5', count, [
      plan.x,
      e.zeros(geometry.size[1] * geometry.channels * 4),
      plan.gradient,
      sums,
      geometry.channels,
      ...axisWords(axes, 'input', 'output', 'low', 'stride', 'rhsDilation'),
      rows,
      rowsPerPart,
    ]);
  } else {
    const steps = outputSteps(x);
    e.emit('depthwiseTapSums', count, [
      plan.x,
      plan.gradient,
      sums,
      geometry.channels,
      geometry.outputs,
      multiplierOf(geometry),
      ...axisWords(
        axes,
        'input',
        'output',
        'kernel',
        'low',
        'stride',
        'rhsDilation',
        'lhsDilation',
      ),
      steps.output,
      steps.element,
      rows,
      rowsPerPart,
    ]);
  }
  const blocks = Math.ceil(geometry.outputs / 4);
  const cutting = cutWork(e, blocks, tapCount(geometry) * count * 16);
  e.emit('addTapSums', cutting.chunks, [
    sums,
    plan.out,
    geometry.outputs,
    tapCount(geometry),
    count,
    cutting.perChunk,
  ]);
}
