// One convolution as one matrix product with rows found through tables (assembly/conv.ts): any stride, dilation and padding,
// for all output pixels or for every s-th one, of which phases of dilated inputs are made.

import { f32, type Encoder } from '../encoder.ts';
import { chunkCount, splitProduct } from './chunks.ts';
import type { ConvGeometry, Pair } from './conv-geometry.ts';
import { NO_CLAMP, tileRows } from './gemm.ts';
import { fitsStrips, planStripConv } from './strip-conv.ts';

/** One axis of an indirect convolution: some pixels of the output, and some taps of the filter that they meet the input by. */
export interface ConvAxis {
  /** Lengths of the input, the filter and the output. */
  readonly input: number;
  readonly kernel: number;
  readonly output: number;
  /** Output pixels firstPixel + p * pixelStep, p below `pixels`. */
  readonly pixels: number;
  readonly firstPixel: number;
  readonly pixelStep: number;
  /** Filter taps firstTap + t * tapStep, t below `taps`. */
  readonly taps: number;
  readonly firstTap: number;
  readonly tapStep: number;
  /** p and t meet the input at firstInput + p * inputPerPixel + t * inputPerTap; outside of it there are zeros. */
  readonly firstInput: number;
  readonly inputPerPixel: number;
  readonly inputPerTap: number;
}

export interface IndirectConv {
  readonly batch: number;
  readonly channels: number;
  readonly outputs: number;
  readonly groups: number;
  readonly rows: ConvAxis;
  readonly columns: ConvAxis;
  /** Addresses; x and y with channels last, the filter in panels (`planPackFilter`). */
  readonly x: number;
  readonly panels: number;
  readonly y: number;
  /** Address of [outputs], or 0. */
  readonly bias?: number;
  /** Address of what is added before the clamp, laid out as y, or 0. May be y itself. */
  readonly addend?: number;
  readonly clamp?: Pair;
}

const SCRATCH_BYTES = 262_144;
/** assembly/tiles.ts: RESERVED, and TAP_BYTES of codegen/gemm.mjs. */
const RESERVED = 320;
const TAP_BYTES = 32;
const MOST_TILE_ROWS = 6;
/** Sums of about so many products are made at a time: fewer roundings add up, and a block's rows stay in the first cache. */
const K_BLOCK = 640;
/** Channels up to which a row of taps is read as one run. */
const RUN_CHANNELS = 32;
const MOST_TILES = 16;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}

/**
 * An axis of a convolution as phases: output pixels that meet the (dilated) input by the same taps. One phase where the input
 * is not dilated. Taps that fall between input elements are in none, so no work is wasted; a phase may have no taps.
 */
export function convPhases(geometry: ConvGeometry, axis: 0 | 1): ConvAxis[] {
  const lhs = geometry.lhsDilation[axis];
  const rhs = geometry.dilation[axis];
  const stride = geometry.stride[axis];
  const low = geometry.padding[axis * 2]!;
  const [input, kernel, output] = [
    geometry.size[axis],
    geometry.kernelSize[axis],
    geometry.outputSize[axis],
  ];
  const pixelStep = lhs / greatestCommonDivisor(lhs, stride);
  const tapStep = lhs / greatestCommonDivisor(lhs, rhs);
  return Array.from({ length: Math.min(pixelStep, output) }, (_, firstPixel) => {
    const place = (tap: number): number => firstPixel * stride + tap * rhs - low;
    let firstTap = 0;
    while (firstTap < tapStep && modulo(place(firstTap), lhs) !== 0) firstTap++;
    const taps = firstTap === tapStep ? 0 : Math.max(0, Math.ceil((kernel - firstTap) / tapStep));
    return {
      input,
      kernel,
      output,
      pixels: Math.ceil((output - firstPixel) / pixelStep),
      firstPixel,
      pixelStep,
      taps,
      firstTap,
      tapStep,
      firstInput: taps === 0 ? 0 : place(firstTap) / lhs,
      inputPerPixel: (pixelStep * stride) / lhs,
      inputPerTap: (tapStep * rhs) / lhs,
    };
  });
}

function halves(axis: ConvAxis): [ConvAxis, ConvAxis] {
  const taps = axis.taps >> 1;
  const rest = {
    ...axis,
    taps: axis.taps - taps,
    firstTap: axis.firstTap + taps * axis.tapStep,
    firstInput: axis.firstInput + taps * axis.inputPerTap,
  };
  return [{ ...axis, taps }, rest];
}

/** Whether a row of taps meets pixels side by side, and so few channels that reading it as one run pays. */
function readsRuns({ channels, groups, columns }: IndirectConv): boolean {
  return (
    groups === 1 &&
    channels <= RUN_CHANNELS &&
    columns.taps > 1 &&
    columns.taps === columns.kernel &&
    columns.tapStep === 1 &&
    columns.inputPerTap === 1
  );
}

/** One command (more for kernels of thousands of taps): all pixels of the axes, for all images, groups and outputs. */
export function planIndirectConv(e: Encoder, conv: IndirectConv): void {
  const { batch, channels, outputs, groups, rows, columns, clamp = NO_CLAMP } = conv;
  const { x, y, panels, bias = 0, addend = 0 } = conv;
  const pixels = batch * rows.pixels * columns.pixels;
  if (pixels * outputs === 0) return;
  if (fitsStrips(conv)) {
    planStripConv(e, conv);
    return;
  }
  const inner = channels / groups;
  const runs = readsRuns(conv);
  const runBytes = columns.taps * channels * 4;
  const hasTaps = rows.taps * columns.taps * inner > 0;
  const [tapRows, tapColumns] = hasTaps ? [rows.taps, columns.taps] : [0, 0];
  const tileBytes = runs
    ? TAP_BYTES * (1 + tapRows) + Math.ceil((tapRows * runBytes * MOST_TILE_ROWS) / 16) * 16
    : TAP_BYTES * (1 + tapRows * tapColumns);
  const tables = SCRATCH_BYTES - RESERVED;
  if (tileBytes > tables) {
    const byRows = rows.taps >= columns.taps;
    const [first, second] = halves(byRows ? rows : columns);
    const part = (axis: ConvAxis): IndirectConv =>
      byRows ? { ...conv, rows: axis } : { ...conv, columns: axis };
    planIndirectConv(e, { ...part(first), clamp: NO_CLAMP });
    planIndirectConv(e, { ...part(second), bias: 0, addend: y });
    return;
  }

  const panelsPerGroup = Math.ceil(outputs / groups / 8);
  const k = rows.kernel * columns.kernel * inner;
  const { multiplyAdds, taps, elements } = {
    multiplyAdds: pixels * outputs * inner * tapRows * tapColumns,
    taps: runs ? tapRows : tapRows * tapColumns,
    elements: runs ? inner * tapColumns : inner,
  };
  const parts = splitProduct(
    pixels,
    groups * panelsPerGroup * 8,
    chunkCount(e.threads, multiplyAdds),
    e.threads,
  );
  const blocks = Math.max(1, Math.ceil((taps * elements) / K_BLOCK));
  const tapBlock = Math.max(1, Math.ceil(taps / blocks));
  const tapBytes = inner * 32;
  const outputBytes = outputs * 4;
  e.emit('convolve', parts.rows.chunks * parts.columns.chunks, [
    x,
    panels,
    bias,
    addend,
    y,
    e.zeros(Math.max(channels * 4, runs ? runBytes : 0)),
    rows.input,
    columns.input,
    channels * 4,
    rows.input * columns.input * channels * 4,
    inner,
    groups,
    outputs / groups,
    pixels,
    rows.pixels,
    columns.pixels,
    tapRows,
    rows.firstInput,
    rows.inputPerPixel,
    rows.inputPerTap,
    tapColumns,
    columns.firstInput,
    columns.inputPerPixel,
    columns.inputPerTap,
    (rows.firstTap * columns.kernel + columns.firstTap) * tapBytes,
    rows.tapStep * columns.kernel * tapBytes,
    columns.tapStep * tapBytes,
    k * 32,
    (rows.firstPixel * columns.output + columns.firstPixel) * outputBytes,
    rows.pixelStep * columns.output * outputBytes,
    columns.pixelStep * outputBytes,
    rows.output * columns.output * outputBytes,
    parts.rows.perChunk,
    parts.rows.chunks,
    parts.columns.perChunk / 8,
    tapBlock,
    Math.max(1, Math.min(MOST_TILES, Math.floor(tables / tileBytes))),
    panelBlock(tapBlock * elements),
    tileRows(e),
    f32(clamp[0]),
    f32(clamp[1]),
    runs ? 1 : 0,
    tileBytes,
  ]);
}

/** Panels whose block of k elements together stay in the second-level cache while the tiles at hand are multiplied. */
function panelBlock(k: number): number {
  return Math.max(1, Math.floor(262_144 / (Math.max(1, k) * 32)));
}
