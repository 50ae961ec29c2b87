// Sums over pixels of the products of an image's channels with a gradient's, tap by tap: what the gradient of a filter is made
// of. Pixels are summed in blocks, blocks in parts; how many there are of each depends on the geometry alone, so results are
// the same for any number of threads.

import type { Encoder } from '../encoder.ts';
import { outputSteps, outputsOfTap, type MeetingAxis } from './conv-axes.ts';
import { cutWork, LEAST_WORK } from './cut.ts';

/** Pixels of a block, about: its share of both inputs stays in the second-level cache while all tiles pass over it. */
const BLOCK_PIXELS = 256;
/** A run of pixels is no longer than this: sums of blocks are more accurate than one long sum. */
const LONGEST_RUN = 512;
/** Parts at most, and the bytes of all of them. */
export const MOST_PARTS = 32;
const PARTS_BYTES = 2 ** 20;

/** An image, or a gradient: its address and the bytes from group to group and from pixel to pixel. */
interface Pixels {
  readonly at: number;
  readonly groupBytes: number;
  readonly pixelBytes: number;
}

/** Rows of x, in which a tap meets runs of pixels of the gradient. */
export interface Walk {
  readonly x: Pixels & { readonly rowBytes: number; readonly imageBytes: number };
  readonly gradient: Pixels;
  readonly groups: number;
  /** Channels and outputs of a group. */
  readonly channels: number;
  readonly outputs: number;
  readonly n: number;
  readonly y: MeetingAxis;
  readonly row: MeetingAxis;
}

/** Sums are [parts][groups][outputs / 8][taps][channels][8]. */
export interface ProductSums {
  readonly parts: number;
  readonly partBytes: number;
  /** Encodes the sums of all parts, to `sums`; with `add` they are added to what stands there. */
  emit(sums: number, add?: boolean): void;
}

export function productSums(e: Encoder, walk: Walk, mostParts: number = MOST_PARTS): ProductSums {
  const { x, gradient, groups, channels, outputs, n, y, row } = walk;
  const taps = y.kernel * row.kernel;
  const pieces = Math.max(1, Math.ceil(row.output / LONGEST_RUN));
  const pieceLength = Math.ceil(row.output / pieces);
  const units = n * y.output * pieces;
  const perBlock = Math.max(1, Math.floor(BLOCK_PIXELS / Math.max(1, pieceLength)));
  const blocks = Math.max(1, Math.ceil(units / perBlock));
  const outBlocks = Math.ceil(outputs / 8);
  const partBytes = groups * outBlocks * taps * channels * 32;
  const work = (n * y.output * row.output * partBytes) / 4;
  const most = Math.min(
    blocks,
    mostParts,
    Math.max(1, Math.floor(PARTS_BYTES / partBytes)),
    Math.max(1, Math.floor(work / LEAST_WORK)),
  );
  const blocksPerPart = Math.ceil(blocks / most);
  const parts = Math.ceil(blocks / blocksPerPart);

  const tiles = taps * outBlocks;
  const { chunks: wanted } = cutWork(e, parts * groups * tiles, work / (parts * groups * tiles));
  const tilesPerChunk = Math.ceil(tiles / Math.max(1, Math.ceil(wanted / (parts * groups))));
  const chunksPerPart = Math.ceil(tiles / tilesPerChunk);
  const steps = outputSteps(row);
  const table = Array.from({ length: row.kernel }, (_, k) => {
    const { first, element, count: length } = outputsOfTap(row, k);
    return [first, element, length];
  });
  return {
    parts,
    partBytes,
    emit(sums, add = false) {
      e.emit('filterGradient', parts * groups * chunksPerPart, [
        x.at,
        gradient.at,
        sums,
        channels,
        outputs,
        x.groupBytes,
        gradient.groupBytes,
        y.input,
        x.rowBytes,
        x.imageBytes,
        y.output,
        row.output * gradient.pixelBytes,
        gradient.pixelBytes,
        y.kernel,
        row.kernel,
        y.low,
        y.stride,
        y.rhsDilation,
        y.lhsDilation,
        steps.element * x.pixelBytes,
        steps.output * gradient.pixelBytes,
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
        x.pixelBytes,
        Number(add),
        ...table.flat(),
      ]);
    },
  };
}
