// 3x3 convolutions of stride 1 by minimal filtering: tiles of m + 2 by m + 2 pixels are transformed, each of the (m + 2)^2
// planes is a matrix product (tiles by channels, times channels by outputs), and the products are transformed back. Either
// three commands for some tiles, or one whose chunks do all three with their tiles in scratch memory; the arithmetic is the
// same.

import {
  filterTransform2,
  filterTransform4,
  gradientTransform4,
  inputTransform2,
  inputTransform4,
  outputTransform2,
  outputTransform4,
  productOf,
  tapTransform4,
} from './generated/winograd-transforms';
import { scratch } from './thread';
import { tileRows } from './tiles';
import { Image } from './winograd-image';

/** Scratch memory of transforms and products; tiles of a fused chunk stand behind it (src/kernels/winograd.ts knows it). */
const WORK: usize = 2048;
const K_BLOCK = 256;
/**
 * What of a filter's plane stays in the second cache is read again for every few tiles. Of a larger part each panel is read
 * once, and all tiles again.
 */
const CACHED_BYTES: usize = 524288;

// @kernel
// Transforms tiles of the image. Arguments: an Image.
export function winogradInput(a: usize, chunk: i32): void {
  const image = changetype<Image>(a);
  const tile = image.firstTile + chunk * image.perChunk;
  const end = min(tile + image.perChunk, image.endTile);
  const tileBytes = channelBytes(image);
  const to = <usize>image.v + <usize>(tile - image.firstTile) * tileBytes;
  toPlanes(image, tile, end, to, planeBytes(image.endTile - image.firstTile, tileBytes), scratch());
}

// @kernel
// Multiplies planes with those of the filter: a chunk is some columns of one plane. Arguments: an Image.
export function winogradProducts(a: usize, chunk: i32): void {
  const image = changetype<Image>(a);
  const column = (chunk % image.columnChunks) * image.columnsPerChunk;
  const plane = chunk / image.columnChunks;
  const end = min(column + image.columnsPerChunk, <i32>(outputBytes(image) >> 2));
  const tiles = image.endTile - image.firstTile;
  const v = <usize>image.v + <usize>plane * planeBytes(tiles, channelBytes(image));
  const y = <usize>image.products + <usize>plane * planeBytes(tiles, outputBytes(image));
  const step = <usize>(end - column) * channelBytes(image) > CACHED_BYTES ? 8 : end - column;
  for (let c = column; c < end; c += step) product(image, plane, tiles, v, y, c, min(c + step, end));
}

// @kernel
// Transforms products back. Arguments: an Image.
export function winogradOutput(a: usize, chunk: i32): void {
  const image = changetype<Image>(a);
  const tile = image.firstTile + chunk * image.perChunk;
  const end = min(tile + image.perChunk, image.endTile);
  const tileBytes = outputBytes(image);
  const from = <usize>image.products + <usize>(tile - image.firstTile) * tileBytes;
  fromPlanes(image, tile, end, from, planeBytes(image.endTile - image.firstTile, tileBytes), scratch());
}

// @kernel
// All three for the tiles of a chunk. Arguments: an Image.
export function winogradFused(a: usize, chunk: i32): void {
  const image = changetype<Image>(a);
  const tile = image.firstTile + chunk * image.perChunk;
  const end = min(tile + image.perChunk, image.endTile);
  const tiles = end - tile;
  const base = scratch();
  const planes = (image.m + 2) * (image.m + 2);
  const vBytes = planeBytes(tiles, channelBytes(image)), productBytes = planeBytes(tiles, outputBytes(image));
  const v = base + WORK, products = v + <usize>planes * vBytes;
  toPlanes(image, tile, end, v, vBytes, base);
  for (let plane = 0; plane < planes; plane++) {
    product(
      image, plane, tiles, v + <usize>plane * vBytes, products + <usize>plane * productBytes,
      0, <i32>(outputBytes(image) >> 2),
    );
  }
  fromPlanes(image, tile, end, products, productBytes, base);
}

/** Bytes of a tile's channels in a plane: filled up to whole vectors. */
// @ts-ignore: decorator
@inline
function channelBytes(image: Image): usize {
  return <usize>((image.channels + 3) & ~3) << 2;
}

/** Bytes of a tile's outputs in a plane: filled up to whole panels. */
// @ts-ignore: decorator
@inline
function outputBytes(image: Image): usize {
  return <usize>((image.outputs + 7) & ~7) << 2;
}

/** From plane to plane a cache line is left free: else all of them could meet in one place of a cache. */
// @ts-ignore: decorator
@inline
function planeBytes(tiles: i32, tileBytes: usize): usize {
  return <usize>tiles * tileBytes + 64;
}

function toPlanes(image: Image, tile: i32, end: i32, to: usize, planeBytes: usize, work: usize): void {
  if (image.m == 4) inputTransform4(image, tile, end, to, channelBytes(image), planeBytes, work);
  else inputTransform2(image, tile, end, to, channelBytes(image), planeBytes, work);
}

function fromPlanes(image: Image, tile: i32, end: i32, from: usize, planeBytes: usize, work: usize): void {
  if (image.m == 4) outputTransform4(image, tile, end, from, outputBytes(image), planeBytes, work);
  else outputTransform2(image, tile, end, from, outputBytes(image), planeBytes, work);
}

/** Columns `column` to `end` of the product of one plane. */
function product(
  image: Image, plane: i32, tiles: i32, v: usize, y: usize, column: i32, end: i32,
): void {
  const height = tileRows(image.microRows);
  const vBytes = channelBytes(image), yBytes = outputBytes(image);
  const channels = image.channels;
  const panelBytes = (<usize>channels) << 5;
  const first = <usize>image.filter + (<usize>plane * (yBytes >> 5) + <usize>(column >> 3)) * panelBytes;
  y += (<usize>column) << 2;
  const lineBytes = <usize>(end - column) << 2;
  for (let i = 0, rows = height; i < tiles; i += rows) {
    const left = tiles - i;
    // Two times 4: after 6, what is left would take as long as 4.
    rows = left == 7 || left == 8 ? 4 : height;
    if (left < rows) {
      // The last rows once more, to the same sums: fewer rows would take as long.
      rows = left > 4 ? 6 : 4;
      if (rows > tiles) rows = tiles < 4 ? 1 : 4;
      else i = tiles - rows;
    }
    const tile = unchecked(productOf[rows]);
    const row = v + <usize>i * vBytes, to = y + <usize>i * yBytes;
    for (let from = 0; from < channels; from += K_BLOCK) {
      const length = <usize>min(K_BLOCK, channels - from) << 2;
      let panel = first + ((<usize>from) << 5);
      for (let at = to; at < to + lineBytes; at += 32) {
        tile(row + ((<usize>from) << 2), vBytes, length, panel, at, yBytes, from > 0);
        panel += panelBytes;
      }
    }
  }
}

/** Channels transformed in scratch memory before they go to their planes, which lie far apart. */
const CHANNEL_BLOCK = 16;

// @kernel
// Transforms a filter into [(m + 2)^2][outputs / 8][channels][8]: weight (output o, channel c, tap t) is read at from +
// o * outputBytes + c * channelBytes + t * tapBytes; strides may be negative. The last panel is filled up with copies of the
// last output. Arguments: from, to, outputs, channels, outputBytes, channelBytes, tapBytes, m, panels per chunk.
export function winogradFilter(a: usize, chunk: i32): void {
  const from: usize = load<u32>(a);
  const outputs = load<i32>(a, 8), channels = load<i32>(a, 12);
  const outputBytes: usize = load<u32>(a, 16), channelBytes: usize = load<u32>(a, 20);
  const tapBytes: usize = load<u32>(a, 24);
  const m = load<i32>(a, 28);
  const planes = (m + 2) * (m + 2);
  const panels = (outputs + 7) >> 3;
  const first = chunk * load<i32>(a, 32);
  const end = min(first + load<i32>(a, 32), panels);
  const panelBytes = (<usize>channels) << 5;
  const base = scratch();
  const blockBytes: usize = CHANNEL_BLOCK * 32;
  for (let p = first; p < end; p++) {
    for (let c = 0; c < channels; c += CHANNEL_BLOCK) {
      const count = min(CHANNEL_BLOCK, channels - c);
      for (let i = 0; i < count; i++) {
        const weights = from + <usize>(c + i) * channelBytes;
        for (let j = 0; j < 8; j += 2) {
          const o = (p << 3) + j;
          const one = weights + <usize>min(o, outputs - 1) * outputBytes;
          const other = weights + <usize>min(o + 1, outputs - 1) * outputBytes;
          const at = base + (<usize>i << 5) + (<usize>j << 2);
          if (m == 4) filterTransform4(one, other, tapBytes, at, blockBytes);
          else filterTransform2(one, other, tapBytes, at, blockBytes);
        }
      }
      let to = <usize>load<u32>(a, 4) + <usize>p * panelBytes + (<usize>c << 5);
      let source = base;
      for (let plane = 0; plane < planes; plane++) {
        for (let o: usize = 0; o < <usize>count << 5; o += 16) v128.store(to + o, v128.load(source + o));
        source += blockBytes;
        to += <usize>panels * panelBytes;
      }
    }
  }
}

// @kernel
// Transforms tiles of an output's gradient, the image of which is given. Arguments: an Image.
export function winogradGradient(a: usize, chunk: i32): void {
  const image = changetype<Image>(a);
  const tile = image.firstTile + chunk * image.perChunk;
  const end = min(tile + image.perChunk, image.endTile);
  const tileBytes = channelBytes(image);
  const to = <usize>image.v + <usize>(tile - image.firstTile) * tileBytes;
  gradientTransform4(image, tile, end, to, tileBytes, planeBytes(image.endTile - image.firstTile, tileBytes), scratch());
}

// @kernel
// Sums of products over tiles, [36][O/8][C][8], to the gradient of a filter [O][C][3][3]. A unit is a channel of 8 outputs.
// Arguments: sums, filter, channels, outputs, units a chunk.
export function winogradFilterGradient(a: usize, chunk: i32): void {
  const c = load<i32>(a, 8), outputs = load<i32>(a, 12), perChunk = load<i32>(a, 16);
  const units = ((outputs + 7) >> 3) * c;
  const planeBytes = (<usize>units) << 5, outputBytes: usize = <usize>c * 36;
  const end = min((chunk + 1) * perChunk, units);
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const block = unit / c, output = block << 3;
    let from: usize = <usize>load<u32>(a) + (<usize>unit << 5);
    let to: usize = <usize>load<u32>(a, 4) + <usize>output * outputBytes + <usize>(unit - block * c) * 36;
    for (let lanes = min(outputs - output, 8); lanes > 0; lanes -= 4) {
      tapTransform4(from, planeBytes, to, outputBytes, min(lanes, 4), scratch());
      from += 16;
      to += outputBytes << 2;
    }
  }
}
