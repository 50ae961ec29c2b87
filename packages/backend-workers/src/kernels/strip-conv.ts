// Convolutions of few channels over padded images, a strip of neighbouring output pixels at a time (codegen/strip-conv.mjs).

import { f32, type Encoder } from '../encoder.ts';
import { chunkCount, split } from './chunks.ts';
import { NO_CLAMP, tileRows } from './gemm.ts';
import type { ConvAxis, IndirectConv } from './indirect-conv.ts';
import { planPadImages } from './pad-images.ts';

/** Channels up to which the copy with padding costs less than the tables of an indirect convolution. */
const FEW_CHANNELS = 8;
/** Pixels of the longest strip. */
const STRIP = 6;
/** Products summed at once, as in an indirect convolution. */
const MOST_PRODUCTS = 640;
/** Products of each element of the input, below which copying it is not worth it. */
const LEAST_USES = 32;

/** All output pixels, by all taps. */
function isWhole({ pixelStep, taps, kernel, tapStep }: ConvAxis): boolean {
  return pixelStep === 1 && tapStep === 1 && taps === kernel && taps > 0;
}

export function fitsStrips(conv: IndirectConv): boolean {
  const { channels, outputs, groups, rows, columns } = conv;
  const uses =
    (rows.pixels * columns.pixels * rows.taps * columns.taps * outputs) /
    (rows.input * columns.input);
  return (
    groups === 1 &&
    // Strips overlap at the end of a row: what is added there twice must not change in between.
    conv.addend !== conv.y &&
    channels <= FEW_CHANNELS &&
    isWhole(rows) &&
    isWhole(columns) &&
    columns.inputPerTap === 1 &&
    columns.pixels >= STRIP &&
    rows.taps * columns.taps * channels <= MOST_PRODUCTS &&
    uses >= LEAST_USES
  );
}

/** What `planIndirectConv` does, to the same bits, where `fitsStrips`. */
export function planStripConv(e: Encoder, conv: IndirectConv): void {
  const { batch, channels, outputs, rows, columns, clamp = NO_CLAMP } = conv;
  const { panels, y, bias = 0, addend = 0 } = conv;
  const height = (rows.pixels - 1) * rows.inputPerPixel + (rows.taps - 1) * rows.inputPerTap + 1;
  const width = (columns.pixels - 1) * columns.inputPerPixel + columns.taps;
  const inPlace =
    rows.firstInput === 0 &&
    columns.firstInput === 0 &&
    height <= rows.input &&
    width <= columns.input;
  const x = inPlace
    ? conv.x
    : planPadImages(e, {
        x: conv.x,
        batch,
        height: rows.input,
        length: columns.input * channels,
        outHeight: height,
        outLength: width * channels,
        above: -rows.firstInput,
        before: -columns.firstInput * channels,
      });
  const rowBytes = (inPlace ? columns.input : width) * channels * 4;
  const k = rows.taps * columns.taps * channels;
  const allRows = batch * rows.pixels;
  const wanted = chunkCount(e.threads, allRows * columns.pixels * outputs * k);
  const { chunks, perChunk } = split(allRows, wanted, 1, e.threads);
  e.emit('convolveStrips', chunks, [
    x,
    (inPlace ? rows.input : height) * rowBytes,
    rows.inputPerPixel * rowBytes,
    rows.inputPerTap * rowBytes,
    columns.inputPerPixel * channels * 4,
    columns.taps * channels * 4,
    rows.taps,
    panels,
    k * 32,
    bias,
    addend,
    y,
    outputs,
    rows.pixels,
    columns.pixels,
    allRows,
    perChunk,
    tileRows(e),
    f32(clamp[0]),
    f32(clamp[1]),
  ]);
}
