// Convolutions as products whose rows are found through tables: each output pixel is a row, each tap of the filter gives the
// address of the input pixel it meets (channels last), or of zeros. No image is unfolded; a chunk builds the tables of some
// tiles in scratch memory, which costs 1 to 3 % of their products.
//
// Pixel p of an axis meets, by its tap t, the input at firstInput + p * inputPerPixel + t * inputPerTap.

import { TAP_BYTES } from './generated/micro-kernels';
import { scratch } from './thread';
import { multiply, prepare, RESERVED, tileRows, unlimited } from './tiles';

// @kernel
// Arguments, by word (src/kernels/conv.ts fills them in this order):
//   0 x, panels, bias or 0, addend or 0, y, zeros
//   6 input height, width, bytes of a pixel, of an image; channels of a group, groups, outputs of a group
//   13 pixels (of all images), pixel rows, pixel columns
//   16 taps, first input, input per pixel, input per tap of the rows; 20 the same of the columns
//   24 in bytes of a panel: the first tap, from row to row of taps, from tap to tap; 27 bytes of a panel
//   28 in bytes of y: the first pixel, from row to row, from pixel to pixel, from image to image
//   32 pixels per chunk, chunks of pixels, panels per chunk
//   35 taps in a block, tiles with tables at once, panels in a block, tile rows or 0
//   39 lowest, highest; 41 whether a row of taps is read as one run of memory; 42 bytes of a tile's tables
export function convolve(a: usize, chunk: i32): void {
  const height = tileRows(load<i32>(a, 152));
  const perChunk = load<i32>(a, 128), pixelChunks = load<i32>(a, 132), panelsPerChunk = load<i32>(a, 136);
  const tiles = load<i32>(a, 144), tileBytes: usize = load<u32>(a, 168);
  const first = (chunk % pixelChunks) * perChunk;
  const end = min(first + perChunk, load<i32>(a, 52));
  const firstPanel = (chunk / pixelChunks) * panelsPerChunk;
  const endPanel = firstPanel + panelsPerChunk;
  const base = scratch();
  prepare(base);
  for (let pixel = first; pixel < end; pixel += tiles * height) {
    const pixels = min(tiles * height, end - pixel);
    if (load<i32>(a, 164) != 0) buildRuns(a, base + RESERVED, tileBytes, height, pixel, pixels);
    else buildTaps(a, base + RESERVED, tileBytes, height, pixel, pixels);
    products(a, base, tileBytes, height, pixels, firstPanel, endPanel);
  }
}

/** Multiplies tiles, whose tables stand ready, with panels `firstPanel` to `endPanel` of all groups. */
function products(
  a: usize, base: usize, tileBytes: usize, height: i32, pixels: i32, firstPanel: i32, endPanel: i32,
): void {
  const runs = load<i32>(a, 164) != 0;
  const taps = load<i32>(a, 64) * (runs ? 1 : load<i32>(a, 80));
  const inner = load<i32>(a, 40), groups = load<i32>(a, 44), outputs = load<i32>(a, 48);
  const elements = runs ? inner * load<i32>(a, 80) : inner;
  const bias: usize = load<u32>(a, 8), addend: usize = load<u32>(a, 12), y: usize = load<u32>(a, 16);
  const panelBytes: usize = load<u32>(a, 108);
  const tapBlock = load<i32>(a, 140), panelBlock = load<i32>(a, 148);
  const limits = a + 156;
  const panelsPerGroup = (outputs + 7) >> 3;
  const end = min(endPanel, groups * panelsPerGroup);
  let tap = 0;
  do {
    const tapsNow = min(tapBlock, taps - tap);
    const isFirst = tap == 0, isLast = tap + tapsNow == taps;
    for (let p = firstPanel; p < end; ) {
      const group = p / panelsPerGroup;
      const column = (p - group * panelsPerGroup) << 3;
      const panels = min(min(panelBlock, end - p), panelsPerGroup - (column >> 3));
      const columns = min(panels << 3, outputs - column);
      const from = (<usize>group * <usize>inner) << 2;
      const offset = (<usize>group * <usize>outputs + <usize>column) << 2;
      const panel = <usize>load<u32>(a, 4) + <usize>p * panelBytes;
      const firstAddend = addend != 0 ? addend + offset : 0;
      let offsets = base + RESERVED;
      for (let i = 0; i < pixels; i += height) {
        multiply(
          base, min(height, pixels - i), offsets, offsets + TAP_BYTES + <usize>tap * TAP_BYTES, tapsNow,
          from, from + ((<usize>elements) << 2), panel, panelBytes, 32, columns, y + offset,
          isFirst ? firstAddend : y + offset, isFirst && bias != 0 ? bias + offset : 0,
          isLast ? limits : unlimited(base),
        );
        offsets += tileBytes;
      }
      p += panels;
    }
    tap += tapsNow;
  } while (tap < taps);
}

/** Tables of `pixels` pixels from `pixel` on: a tile's offsets into y, then its taps. */
function buildTaps(
  a: usize, tables: usize, tileBytes: usize, height: i32, pixel: i32, pixels: i32,
): void {
  const zeros: usize = load<u32>(a, 20);
  const inputHeight = load<u32>(a, 24), inputWidth = load<u32>(a, 28);
  const pixelBytes: usize = load<u32>(a, 32), imageBytes: usize = load<u32>(a, 36);
  const rows = load<i32>(a, 56), columns = load<i32>(a, 60);
  const tapRows = load<i32>(a, 64), firstRow = load<i32>(a, 68), rowStep = load<i32>(a, 72);
  const rowTapStep = load<i32>(a, 76);
  const tapColumns = load<i32>(a, 80), firstColumn = load<i32>(a, 84), columnStep = load<i32>(a, 88);
  const columnTapStep = load<i32>(a, 92);
  const reach = (tapColumns - 1) * columnTapStep;

  let column = pixel % columns, rest = pixel / columns;
  let row = rest % rows, image = rest / rows;
  for (let i = 0; i < pixels; ) {
    const offsets = tables;
    writeWeights(a, tables + TAP_BYTES, tapColumns);
    const end = min(i + height, pixels);
    for (let slot: usize = 0; i < end; i++) {
      store<u32>(offsets + slot, <u32>outputOffset(a, image, row, column));
      const x: usize = <usize>load<u32>(a) + <usize>image * imageBytes;
      const left = column * columnStep + firstColumn;
      const inside = <u32>left < inputWidth && <u32>(left + reach) < inputWidth;
      const step = <usize>(columnTapStep * <i32>pixelBytes);
      let y = row * rowStep + firstRow;
      let table = tables + TAP_BYTES + slot;
      for (let ty = 0; ty < tapRows; ty++) {
        if (<u32>y >= inputHeight) {
          for (let tx = 0; tx < tapColumns; tx++) {
            store<u32>(table, <u32>zeros);
            table += TAP_BYTES;
          }
        } else {
          let from = x + <usize>((y * <i32>inputWidth + left) * <i32>pixelBytes);
          if (inside) {
            for (let tx = 0; tx < tapColumns; tx++) {
              store<u32>(table, <u32>from);
              from += step;
              table += TAP_BYTES;
            }
          } else {
            let at = left;
            for (let tx = 0; tx < tapColumns; tx++) {
              store<u32>(table, <u32>(<u32>at < inputWidth ? from : zeros));
              at += columnTapStep;
              from += step;
              table += TAP_BYTES;
            }
          }
        }
        y += rowTapStep;
      }
      slot += 4;
      if (++column == columns) {
        column = 0;
        if (++row == rows) {
          row = 0;
          image++;
        }
      }
    }
    tables += tileBytes;
  }
}

/**
 * The same where a row of taps meets pixels that lie side by side: it is one run of memory, read in place, or where it leaves
 * the image, copied with its zeros behind the tile's table. For few channels this makes the inner loop long enough.
 */
function buildRuns(
  a: usize, tables: usize, tileBytes: usize, height: i32, pixel: i32, pixels: i32,
): void {
  const zeros: usize = load<u32>(a, 20);
  const inputHeight = load<u32>(a, 24), inputWidth = load<i32>(a, 28);
  const pixelBytes: usize = load<u32>(a, 32), imageBytes: usize = load<u32>(a, 36);
  const rows = load<i32>(a, 56), columns = load<i32>(a, 60);
  const tapRows = load<i32>(a, 64), firstRow = load<i32>(a, 68), rowStep = load<i32>(a, 72);
  const rowTapStep = load<i32>(a, 76);
  const tapColumns = load<i32>(a, 80), firstColumn = load<i32>(a, 84), columnStep = load<i32>(a, 88);
  const runBytes = <usize>tapColumns * pixelBytes;
  const rowBytes = <usize>inputWidth * pixelBytes;

  let column = pixel % columns, rest = pixel / columns;
  let row = rest % rows, image = rest / rows;
  for (let i = 0; i < pixels; ) {
    const offsets = tables;
    writeWeights(a, tables + TAP_BYTES, 1);
    let copy = tables + TAP_BYTES + <usize>tapRows * TAP_BYTES;
    const end = min(i + height, pixels);
    for (let slot: usize = 0; i < end; i++) {
      store<u32>(offsets + slot, <u32>outputOffset(a, image, row, column));
      const x: usize = <usize>load<u32>(a) + <usize>image * imageBytes;
      const left = column * columnStep + firstColumn;
      const inside = left >= 0 && left + tapColumns <= inputWidth;
      const cutLeft = <usize>min(max(-left, 0), tapColumns) * pixelBytes;
      const kept = <usize>max(min(left + tapColumns, inputWidth) - max(left, 0), 0) * pixelBytes;
      let y = row * rowStep + firstRow;
      let table = tables + TAP_BYTES + slot;
      for (let ty = 0; ty < tapRows; ty++) {
        let run = zeros;
        if (<u32>y < inputHeight) {
          run = x + <usize>y * rowBytes + <usize>(left * <i32>pixelBytes);
          if (!inside) {
            // Loops, not memory.copy: a call costs more than such a run.
            for (let o: usize = 0; o < cutLeft; o += 4) store<f32>(copy + o, 0);
            for (let o = cutLeft; o < cutLeft + kept; o += 4) store<f32>(copy + o, load<f32>(run + o));
            for (let o = cutLeft + kept; o < runBytes; o += 4) store<f32>(copy + o, 0);
            run = copy;
            copy += runBytes;
          }
        }
        store<u32>(table, <u32>run);
        table += TAP_BYTES;
        y += rowTapStep;
      }
      slot += 4;
      if (++column == columns) {
        column = 0;
        if (++row == rows) {
          row = 0;
          image++;
        }
      }
    }
    tables += tileBytes;
  }
}

/** Where the weights of each tap begin in a panel. */
function writeWeights(a: usize, table: usize, tapColumns: i32): void {
  const tapRows = load<i32>(a, 64);
  let first = load<i32>(a, 96);
  const rowStep = load<i32>(a, 100), step = load<i32>(a, 104);
  for (let ty = 0; ty < tapRows; ty++) {
    let offset = first;
    for (let tx = 0; tx < tapColumns; tx++) {
      store<i32>(table, offset, 24);
      table += TAP_BYTES;
      offset += step;
    }
    first += rowStep;
  }
}

// @ts-ignore: decorator
@inline
function outputOffset(a: usize, image: i32, row: i32, column: i32): usize {
  return (
    <usize>load<u32>(a, 112) +
    <usize>image * load<u32>(a, 124) +
    <usize>row * load<u32>(a, 116) +
    <usize>column * load<u32>(a, 120)
  );
}
