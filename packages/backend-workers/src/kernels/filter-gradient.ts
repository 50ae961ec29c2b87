// Gradient of a convolution with respect to its filter and to its bias. Pixels are summed in blocks, blocks in parts and parts
// in order; how many there are of each depends on the geometry alone, so results are the same for any number of threads.

import type { Encoder } from '../encoder.ts';
import type { ConvGeometry } from './conv.ts';
import {
  axesOf,
  isDepthwise,
  outputSteps,
  outputsOfTap,
  tapCount,
  type MeetingAxis,
} from './conv-axes.ts';
import { planDepthwiseFilterGradient } from './depthwise.ts';
import { cutWork, LEAST_WORK } from './cut.ts';
import { planPadImages } from './pad-images.ts';

/** Pixels of a block, about: its share of both inputs stays in the second-level cache while all tiles pass over it. */
const BLOCK_PIXELS = 256;
/** A run of pixels is no longer than this: sums of blocks are more accurate than one long sum. */
const LONGEST_RUN = 512;
/** Partial filters at most, and the bytes of all of them. */
const MOST_PARTS = 32;
const PARTS_BYTES = 2 ** 20;
/** With so few channels, neighbouring taps of a row count as channels of one tap. */
const FEW_CHANNELS = 4;

export interface FilterGradientPlan {
  /** [N, H, W, C] */
  readonly x: number;
  /** Gradient of the output, [N, H', W', O]. */
  readonly gradient: number;
  /** Where the gradient of the filter goes, plain [O, C/groups, kH, kW]. */
  readonly out: number;
  readonly geometry: ConvGeometry;
}

/** What the kernel sees: rows of x, in which a tap meets runs of pixels. */
interface Walk {
  readonly x: number;
  /** Channels of a group, of one tap. */
  readonly c: number;
  /** Bytes of a pixel, row and image of x. */
  readonly pixelBytes: number;
  readonly rowBytes: number;
  readonly imageBytes: number;
  readonly n: number;
  readonly y: MeetingAxis;
  readonly row: MeetingAxis;
}

export function planConvFilterGradient(e: Encoder, plan: FilterGradientPlan): void {
  const { gradient, out, geometry } = plan;
  const { channels, outputs: allOutputs, groups } = geometry;
  if (isDepthwise(geometry)) {
    planDepthwiseFilterGradient(e, plan);
    return;
  }
  const [inputs, outputs] = [channels / groups, allOutputs / groups];
  const taps = tapCount(geometry);
  if (inputs * outputs * taps === 0) return;

  const walk = merged(e, plan) ?? flattened(plan) ?? ordinary(plan);
  const { y, row } = walk;
  const pieces = Math.max(1, Math.ceil(row.output / LONGEST_RUN));
  const pieceLength = Math.ceil(row.output / pieces);
  const units = walk.n * y.output * pieces;
  const perBlock = Math.max(1, Math.floor(BLOCK_PIXELS / Math.max(1, pieceLength)));
  const blocks = Math.max(1, Math.ceil(units / perBlock));
  const outBlocks = Math.ceil(outputs / 8);
  const partBytes = groups * outBlocks * taps * inputs * 32;
  const work = (walk.n * y.output * row.output * partBytes) / 4;
  const parts = Math.min(
    blocks,
    MOST_PARTS,
    Math.max(1, Math.floor(PARTS_BYTES / partBytes)),
    Math.max(1, Math.floor(work / LEAST_WORK)),
  );
  const blocksPerPart = Math.ceil(blocks / parts);
  const count = Math.ceil(blocks / blocksPerPart);
  const sums = e.workspace(count * partBytes);

  const tiles = y.kernel * row.kernel * outBlocks;
  const { chunks: wanted } = cutWork(e, count * groups * tiles, work / (count * groups * tiles));
  const tilesPerChunk = Math.ceil(tiles / Math.max(1, Math.ceil(wanted / (count * groups))));
  const chunksPerPart = Math.ceil(tiles / tilesPerChunk);
  const steps = outputSteps(row);
  const table = Array.from({ length: row.kernel }, (_, k) => {
    const { first, element, count: length } = outputsOfTap(row, k);
    return [first, element, length];
  });
  const outPixelBytes = allOutputs * 4;
  e.emit('filterGradient', count * groups * chunksPerPart, [
    walk.x,
    gradient,
    sums,
    walk.c,
    outputs,
    inputs * 4,
    outputs * 4,
    y.input,
    walk.rowBytes,
    walk.imageBytes,
    y.output,
    row.output * outPixelBytes,
    outPixelBytes,
    y.kernel,
    row.kernel,
    y.low,
    y.stride,
    y.rhsDilation,
    y.lhsDilation,
    steps.element * walk.pixelBytes,
    steps.output * outPixelBytes,
    units,
    pieces,
    pieceLength,
    perBlock,
    blocks,
    blocksPerPart,
    tiles,
    tilesPerChunk,
    chunksPerPart,
    groups,
    walk.pixelBytes,
    ...table.flat(),
  ]);
  const cutting = cutWork(e, groups * outBlocks * inputs, taps * (count + 2) * 16);
  e.emit('finishFilterGradient', cutting.chunks, [
    sums,
    out,
    inputs,
    outputs,
    groups,
    taps,
    count,
    cutting.perChunk,
  ]);
}

function ordinary({ x, geometry }: FilterGradientPlan): Walk {
  const { y, x: row } = axesOf(geometry);
  const pixelBytes = geometry.channels * 4;
  const rowBytes = geometry.size[1] * pixelBytes;
  return {
    x,
    c: geometry.channels / geometry.groups,
    pixelBytes,
    rowBytes,
    imageBytes: geometry.size[0] * rowBytes,
    n: geometry.batch,
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
  const { c, n, y, row, pixelBytes } = walk;
  if (plan.geometry.groups > 1 || c > FEW_CHANNELS || row.kernel === 1) return null;
  if (row.rhsDilation !== 1 || row.lhsDilation !== 1 || row.output === 0) return null;
  const width = (row.output - 1) * row.stride + row.kernel;
  const rowBytes = width * pixelBytes;
  const x = planPadImages(e, {
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
    x,
    c: c * row.kernel,
    pixelBytes,
    rowBytes,
    imageBytes: y.input * rowBytes,
    n,
    y,
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
