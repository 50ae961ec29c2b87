// Plans of 3x3 convolutions of stride 1 by Winograd's minimal filtering (assembly/winograd.ts): F4 makes 4x4 output pixels of
// a tile with 36 products for each pair of channels where the definition takes 144, F2 makes 2x2 with 16 for 36.

import { f32, type Encoder } from '../encoder.ts';
import { chunkCount, split, type Split } from './chunks.ts';
import type { ConvGeometry } from './conv-geometry.ts';
import { NO_CLAMP, tileRows } from './gemm.ts';

/** Output pixels of a tile, each way. */
export type WinogradSize = 4 | 2;

export interface WinogradFilter {
  readonly m: WinogradSize;
  /** Address of the first weight that is read. */
  readonly filter: number;
  /** Address of `winogradFilterBytes`. */
  readonly to: number;
  readonly outputs: number;
  readonly channels: number;
  /** Distances in elements, which may be negative; those of a filter [O, C, 3, 3] by default. */
  readonly outputStride?: number;
  readonly channelStride?: number;
  readonly tapStride?: number;
}

/** Bytes of a transformed filter, [(m + 2)^2][outputs / 8][channels][8]. */
export function winogradFilterBytes(m: WinogradSize, channels: number, outputs: number): number {
  return (m + 2) ** 2 * Math.ceil(outputs / 8) * channels * 32;
}

/** Pairs of channels that one thread transforms in about 20 us. */
const LEAST_PAIRS = 256;

/** Transforms a filter, in float64, rounded once. */
export function planWinogradFilter(e: Encoder, filter: WinogradFilter): void {
  const { m, outputs, channels } = filter;
  const { outputStride = channels * 9, channelStride = 9, tapStride = 1 } = filter;
  const panels = Math.ceil(outputs / 8);
  const wanted = Math.max(1, Math.floor((panels * 8 * channels) / LEAST_PAIRS));
  const { perChunk, chunks } = split(panels, Math.min(wanted, e.threads * 6), 1, e.threads);
  const strides = [outputStride, channelStride, tapStride].map((stride) => stride * 4);
  e.emit('winogradFilter', chunks, [
    filter.filter,
    filter.to,
    outputs,
    channels,
    ...strides,
    m,
    perChunk,
  ]);
}

export interface WinogradConv {
  readonly m: WinogradSize;
  /** 3x3, stride and dilations 1, one group. */
  readonly geometry: ConvGeometry;
  /** Addresses: x [N, H, W, C]; the filter transformed; y [N, H', W', O]; bias [O] or 0; residual, laid out as y, or 0. */
  readonly x: number;
  readonly filter: number;
  readonly y: number;
  readonly bias?: number;
  readonly residual?: number;
  readonly clamp?: readonly [number, number];
  /** For measurements: the way that is else chosen. */
  readonly way?: 'fused' | 'phases';
}

const SCRATCH_BYTES = 262_144;
/** WORK of assembly/winograd.ts. */
const WORK = 2048;
/**
 * A transformed filter up to this size, such as F4's of 64 by 64 channels, stays in second-level caches of 1 MiB and is read again
 * for every few tiles at less cost than two more commands have: on two threads a tenth of the time for 32 channels.
 */
const FUSED_FILTER_BYTES = 640 << 10;
/** Multiply-adds up to which two more commands cost more than reading the filter again. */
const FUSED_WORK = 1_000_000;
/** Workspace of tiles that go through the three phases together: what second-level caches hold. */
const BLOCK_BYTES = 2 << 20;
const TILE_ROWS = 12;
/** Tiles of a fused chunk: with more, their planes no longer stay in the second cache beside the filter's. */
const MOST_TILES = 14;

/** What is left over by 6 rows at a time costs, in rows: 4 cost 4.3, and 1 or 2 make with the last 6 two times 4. */
const LEFT_OVER = [0, 2.6, 2.6, 4.3, 4.3, 6] as const;

/** What products of so many tiles cost, in rows. */
function productRows(tiles: number, height: number): number {
  if (height === 4) return Math.ceil(tiles / 4) * 4;
  const rest = tiles % 6;
  return tiles - rest + LEFT_OVER[rest]!;
}

/**
 * How many tiles to give a fused chunk, so that threads finish together. In units of a tile's work a row of products costs
 * 0.7, the rest of a tile 0.3, and reading the filter 0.45.
 */
function tilesPerChunk(e: Encoder, count: number, most: number, wanted: number): number {
  if (wanted === 1 && count <= most) return count;
  const height = tileRows(e) || 6;
  let best = 1;
  let least = Infinity;
  for (let tiles = Math.min(count, most); tiles >= Math.min(count, 4); tiles--) {
    const rounds = Math.ceil(Math.ceil(count / tiles) / e.threads);
    const time = rounds * (0.3 * tiles + 0.7 * productRows(tiles, height) + 0.45);
    if (time < least) {
      least = time;
      best = tiles;
    }
  }
  return best;
}

/** What a command on tiles reads and writes. */
type TileAddresses = Pick<WinogradConv, 'm' | 'geometry' | 'x' | 'bias' | 'residual' | 'clamp'> &
  Partial<Pick<WinogradConv, 'filter' | 'y'>>;

function emitTiles(
  e: Encoder,
  conv: TileAddresses,
  tiles: {
    readonly rows: number;
    readonly columns: number;
    readonly first: number;
    readonly end: number;
  },
  kernel:
    | 'winogradInput'
    | 'winogradProducts'
    | 'winogradOutput'
    | 'winogradFused'
    | 'winogradGradient',
  chunks: number,
  parts: {
    readonly perChunk: number;
    readonly v: number;
    readonly products: number;
    readonly columns: { readonly perChunk: number; readonly chunks: number };
  },
): void {
  const { geometry, clamp = NO_CLAMP } = conv;
  const { size, channels, outputs, outputSize, padding } = geometry;
  e.emit(kernel, chunks, [
    conv.x,
    conv.filter ?? 0,
    conv.bias ?? 0,
    conv.residual ?? 0,
    conv.y ?? 0,
    e.zeros((conv.m + 2) * channels * 4 + 16),
    size[0],
    size[1],
    channels * 4,
    channels,
    outputs,
    outputSize[0],
    outputSize[1],
    padding[0],
    padding[2],
    tiles.rows,
    tiles.columns,
    tiles.first,
    tiles.end,
    parts.perChunk,
    conv.m,
    parts.v,
    parts.products,
    parts.columns.perChunk,
    parts.columns.chunks,
    tileRows(e),
    f32(clamp[0]),
    f32(clamp[1]),
  ]);
}

/** Bytes from plane to plane, as assembly/winograd.ts has them. */
export function planeBytes(tiles: number, tileBytes: number): number {
  return tiles * tileBytes + 64;
}

/** A transform takes about as long as 32 multiply-adds an element. */
function splitTransform(e: Encoder, tiles: number, elements: number): Split {
  return split(tiles, chunkCount(e.threads, tiles * elements * 32), 1, e.threads);
}

/** y = clamp(conv(x, filter) + bias + residual). */
export function planWinogradConv(e: Encoder, conv: WinogradConv): void {
  const { m, geometry } = conv;
  const { batch, channels, outputs, outputSize } = geometry;
  const planes = (m + 2) ** 2;
  const rows = Math.ceil(outputSize[0] / m);
  const columns = Math.ceil(outputSize[1] / m);
  const count = batch * rows * columns;
  const columnsOfProducts = Math.ceil(outputs / 8) * 8;
  const vBytes = Math.ceil(channels / 4) * 16;
  const productBytes = columnsOfProducts * 4;
  const tileBytes = planes * (vBytes + productBytes);
  const all = { rows, columns, first: 0, end: count };

  const fit = Math.floor((SCRATCH_BYTES - WORK - planes * planeBytes(0, 0) * 2) / tileBytes);
  const work = count * planes * channels * outputs;
  const wanted = chunkCount(e.threads, work);
  const isSmall =
    work <= FUSED_WORK || winogradFilterBytes(m, channels, outputs) <= FUSED_FILTER_BYTES;
  if (fit >= 6 && (conv.way ? conv.way === 'fused' : isSmall)) {
    const perChunk = tilesPerChunk(e, count, Math.min(fit, MOST_TILES), wanted);
    const whole = { perChunk: columnsOfProducts, chunks: 1 };
    const parts = { perChunk, v: 0, products: 0, columns: whole };
    emitTiles(e, conv, all, 'winogradFused', Math.ceil(count / perChunk), parts);
    return;
  }

  const atOnce = Math.max(TILE_ROWS, Math.floor(BLOCK_BYTES / tileBytes / TILE_ROWS) * TILE_ROWS);
  const blocks = Math.ceil(count / atOnce);
  const perBlock = Math.ceil(count / blocks);
  const v = e.workspace(planes * planeBytes(perBlock, vBytes));
  const products = e.workspace(planes * planeBytes(perBlock, productBytes));
  for (let first = 0; first < count; first += perBlock) {
    const end = Math.min(count, first + perBlock);
    const tiles = { ...all, first, end };
    const multiplyAdds = (end - first) * planes * channels * outputs;
    const chunks = chunkCount(e.threads, multiplyAdds);
    const inputs = splitTransform(e, end - first, planes * channels);
    const back = splitTransform(e, end - first, planes * outputs);
    const inPlane = split(columnsOfProducts, Math.ceil(chunks / planes), 8, e.threads);
    const parts = { v, products, columns: inPlane };
    emitTiles(e, conv, tiles, 'winogradInput', inputs.chunks, {
      ...parts,
      perChunk: inputs.perChunk,
    });
    emitTiles(e, conv, tiles, 'winogradProducts', planes * inPlane.chunks, {
      ...parts,
      perChunk: 0,
    });
    emitTiles(e, conv, tiles, 'winogradOutput', back.chunks, { ...parts, perChunk: back.perChunk });
  }
}

/** Tiles `first` to `end` of a filter's gradient, for which the images are read and transformed to 36 planes. */
export interface TransformedTiles {
  /** Of the convolution. */
  readonly geometry: ConvGeometry;
  /** Addresses: x [N, H, W, C]; the output's gradient [N, H', W', O]. */
  readonly x: number;
  readonly gradient: number;
  readonly first: number;
  readonly end: number;
  /** Where the planes [36][tiles][C] and [36][tiles][O] go, channels filled up to whole vectors. */
  readonly v: number;
  readonly g: number;
}

/** By the transforms of F4: an image's tiles of 6x6, and a gradient's of 4x4. */
export function planWinogradTiles(e: Encoder, plan: TransformedTiles): void {
  const { geometry, first, end } = plan;
  const { outputSize: size, channels, outputs } = geometry;
  const tiles = { rows: Math.ceil(size[0] / 4), columns: Math.ceil(size[1] / 4), first, end };
  const gradient = { ...geometry, size, channels: outputs, padding: [0, 0, 0, 0] as const };
  const parts = { products: 0, columns: { perChunk: 0, chunks: 0 } };
  const inputs = splitTransform(e, end - first, 36 * channels);
  emitTiles(e, { m: 4, geometry, x: plan.x }, tiles, 'winogradInput', inputs.chunks, {
    ...parts,
    v: plan.v,
    perChunk: inputs.perChunk,
  });
  const back = splitTransform(e, end - first, 36 * outputs);
  const image = { m: 4, geometry: gradient, x: plan.gradient } as const;
  emitTiles(e, image, tiles, 'winogradGradient', back.chunks, {
    ...parts,
    v: plan.g,
    perChunk: back.perChunk,
  });
}
