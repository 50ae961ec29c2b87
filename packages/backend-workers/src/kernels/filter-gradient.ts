// Gradient of a convolution with respect to its filter and to its bias: products of pixels summed in parts, and parts added in
// order.

import type { Encoder } from '../encoder.ts';
import { chooseConv, type ConvGeometry } from './conv.ts';
import { axesOf, isDepthwise, tapCount, type MeetingAxis } from './conv-axes.ts';
import { planDepthwiseFilterGradient } from './depthwise.ts';
import { cutWork } from './cut.ts';
import { MOST_PARTS, productSums, type Walk } from './filter-products.ts';
import { planPadImages } from './pad-images.ts';
import { planeBytes, planWinogradTiles } from './winograd.ts';

/** With so few channels, neighbouring taps of a row count as channels of one tap. */
const FEW_CHANNELS = 4;
/**
 * Tiles times channels from which minimal filtering gains enough to be worth its rounding: fewer belong to small images or to
 * batches of few.
 */
const LEAST_TILE_CHANNELS = 8192;
/** Transformed tiles that are multiplied together: bytes that two threads' second-level caches hold, or so many tiles. */
const TILES_BYTES = 2 << 20;
const TILES = 128;

export interface FilterGradientPlan {
  /** [N, H, W, C] */
  readonly x: number;
  /** Gradient of the output, [N, H', W', O]. */
  readonly gradient: number;
  /** Where the gradient of the filter goes, plain [O, C/groups, kH, kW]. */
  readonly out: number;
  readonly geometry: ConvGeometry;
}

export function planConvFilterGradient(e: Encoder, plan: FilterGradientPlan): void {
  const { out, geometry } = plan;
  const { channels, outputs, groups } = geometry;
  if (isDepthwise(geometry)) {
    planDepthwiseFilterGradient(e, plan);
    return;
  }
  const taps = tapCount(geometry);
  if (channels * outputs * taps === 0) return;
  if (suitsWinograd(e, geometry)) {
    planWinograd(e, plan);
    return;
  }
  const walk = merged(e, plan) ?? flattened(plan) ?? ordinary(plan);
  const products = productSums(e, walk);
  const { parts } = products;
  const sums = e.workspace(parts * products.partBytes);
  products.emit(sums);
  const units = Math.ceil(outputs / groups / 8) * channels;
  const cutting = cutWork(e, units, taps * (parts + 2) * 16);
  e.emit('finishFilterGradient', cutting.chunks, [
    sums,
    out,
    channels / groups,
    outputs / groups,
    groups,
    taps,
    parts,
    cutting.perChunk,
  ]);
}

function tileCount({ batch, outputSize: [height, width] }: ConvGeometry): number {
  return batch * Math.ceil(height / 4) * Math.ceil(width / 4);
}

function suitsWinograd(e: Encoder, geometry: ConvGeometry): boolean {
  const { channels, outputs } = geometry;
  return (
    chooseConv(geometry, e.precision) === 'winograd4' &&
    tileCount(geometry) * Math.min(channels, outputs) >= LEAST_TILE_CHANNELS
  );
}

/**
 * Of 3x3 taps and stride 1, by minimal filtering over tiles of 4x4 outputs: 36 products for each pair of channels where the
 * definition takes 144. For each of 36 planes a matrix product over tiles, as if planes were groups.
 */
function planWinograd(e: Encoder, { x, gradient, out, geometry }: FilterGradientPlan): void {
  const { channels, outputs } = geometry;
  const count = tileCount(geometry);
  const [bytes, outputBytes] = [Math.ceil(channels / 4) * 16, Math.ceil(outputs / 4) * 16];
  const most = Math.max(TILES, Math.floor(TILES_BYTES / 36 / (bytes + outputBytes)));
  const perBlock = Math.ceil(count / Math.ceil(count / most));
  const v = e.workspace(36 * planeBytes(perBlock, bytes));
  const g = e.workspace(36 * planeBytes(perBlock, outputBytes));
  const units = Math.ceil(outputs / 8) * channels;
  const sums = e.workspace(36 * units * 32);
  const axis = { kernel: 1, stride: 1, lhsDilation: 1, rhsDilation: 1, low: 0 };
  for (let first = 0; first < count; first += perBlock) {
    const end = Math.min(first + perBlock, count);
    const tiles = end - first;
    planWinogradTiles(e, { geometry, x, gradient, first, end, v, g });
    const groupBytes = planeBytes(tiles, bytes);
    const planes = {
      x: { at: v, groupBytes, pixelBytes: bytes, rowBytes: 0, imageBytes: 0 },
      gradient: { at: g, groupBytes: planeBytes(tiles, outputBytes), pixelBytes: outputBytes },
      groups: 36,
      channels,
      outputs,
      n: 1,
      y: { ...axis, input: 1, output: 1 },
      row: { ...axis, input: tiles, output: tiles },
    };
    productSums(e, planes, 1).emit(sums, first > 0);
  }
  const { chunks, perChunk } = cutWork(e, units, 36 * 4 * 16);
  e.emit('winogradFilterGradient', chunks, [sums, out, channels, outputs, perChunk]);
}

function ordinary({ x, gradient, geometry }: FilterGradientPlan): Walk {
  const { y, x: row } = axesOf(geometry);
  const { batch: n, groups } = geometry;
  const [channels, outputs] = [geometry.channels / groups, geometry.outputs / groups];
  const pixelBytes = geometry.channels * 4;
  const rowBytes = geometry.size[1] * pixelBytes;
  return {
    x: {
      at: x,
      groupBytes: channels * 4,
      pixelBytes,
      rowBytes,
      imageBytes: geometry.size[0] * rowBytes,
    },
    gradient: { at: gradient, groupBytes: outputs * 4, pixelBytes: geometry.outputs * 4 },
    groups,
    channels,
    outputs,
    n,
    y,
    row,
  };
}

function isPlain({ stride, lhsDilation, low }: MeetingAxis): boolean {
  return stride === 1 && lhsDilation === 1 && low === 0;
}

/** 1x1, where output pixels are input pixels: all of them in one row. */
function flattened(plan: FilterGradientPlan): Walk | null {
  const walk = ordinary(plan);
  const { y, row, n } = walk;
  const whole = [y, row].every((a) => isPlain(a) && a.kernel === 1 && a.input === a.output);
  if (!whole) return null;
  const pixels = n * y.input * row.input;
  return {
    ...walk,
    n: 1,
    y: { ...y, input: 1, output: 1 },
    row: { ...row, input: pixels, output: pixels },
  };
}

/** Few channels: the taps of a row are neighbours in memory once the padding of rows is written out. */
function merged(e: Encoder, plan: FilterGradientPlan): Walk | null {
  const walk = ordinary(plan);
  const { channels: c, n, y, row } = walk;
  if (walk.groups > 1 || c > FEW_CHANNELS || row.kernel === 1) return null;
  if (row.rhsDilation !== 1 || row.lhsDilation !== 1 || row.output === 0) return null;
  const width = (row.output - 1) * row.stride + row.kernel;
  const { pixelBytes } = walk.x;
  const rowBytes = width * pixelBytes;
  const at = planPadImages(e, {
    x: plan.x,
    batch: n,
    height: y.input,
    length: row.input * c,
    outHeight: y.input,
    outLength: width * c,
    above: 0,
    before: row.low * c,
  });
  return {
    ...walk,
    x: { ...walk.x, at, rowBytes, imageBytes: y.input * rowBytes },
    channels: c * row.kernel,
    row: { ...row, input: width, kernel: 1, low: 0 },
  };
}

/** Pixels that one part of a channel sum takes. */
const PART_PIXELS = 1024;

/** Sums of each channel over all pixels: x [pixels, C] -> out [C]. The gradient of a bias. */
export function planChannelSum(
  e: Encoder,
  plan: {
    readonly x: number;
    readonly pixels: number;
    readonly channels: number;
    readonly out: number;
  },
): void {
  const { x, pixels, channels, out } = plan;
  if (channels === 0) return;
  const padded = Math.ceil(channels / 4) * 4;
  const perPart = Math.max(
    PART_PIXELS,
    Math.ceil(pixels / MOST_PARTS / 4),
    Math.ceil(8192 / channels),
  );
  const parts = Math.ceil(pixels / perPart);
  const sums = e.workspace(parts * padded * 4);
  e.emit('channelSumParts', parts, [x, sums, pixels, channels, perPart]);
  const { chunks, perChunk } = cutWork(e, channels, parts * 4);
  e.emit('addChannelSums', chunks, [sums, out, channels, parts, perChunk]);
}
