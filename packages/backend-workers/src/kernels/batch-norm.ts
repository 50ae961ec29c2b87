// Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167). Tensors are seen as [outer, C, inner]: channels last is
// inner 1 with outer all pixels, [N, C] likewise, planes [N, C, ...] have inner above 1. Statistics are summed in doubles
// over blocks that depend on the shape alone, and the blocks are added in order: the same for any number of threads.

import { f32, type Encoder } from '../encoder.ts';
import { cut, type Chunks } from './cut.ts';

export interface ChannelView {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

export interface BatchNormTrain extends ChannelView {
  readonly x: number;
  readonly weight: number;
  readonly bias: number;
  /** May be x. */
  readonly y: number;
  /** [C] */
  readonly mean: number;
  /** [C], biased. */
  readonly variance: number;
  readonly epsilon: number;
  /** Bounds of y for a fused activation. */
  readonly clamp?: readonly [number, number];
}

export interface BatchNormEval extends ChannelView {
  readonly x: number;
  readonly weight: number;
  readonly bias: number;
  readonly mean: number;
  readonly variance: number;
  /** May be x. */
  readonly y: number;
  readonly epsilon: number;
  readonly clamp?: readonly [number, number];
}

export interface BatchNormTrainGradient extends ChannelView {
  readonly gradient: number;
  readonly x: number;
  readonly weight: number;
  readonly mean: number;
  readonly variance: number;
  /** May be the gradient or x. */
  readonly xGradient: number;
  readonly weightGradient: number;
  readonly biasGradient: number;
  readonly epsilon: number;
}

/** Elements of a block of sums: few enough for the nearest cache, which a block of channels is read from several times. */
const BLOCK = 8192;

interface Sums {
  /** Address of doubles [blocks][2][width]. */
  readonly sums: number;
  readonly blocks: number;
  /** Channels rounded up to whole vectors. */
  readonly width: number;
  readonly chunks: Chunks;
  /** Words for the kernels of sums. */
  readonly words: readonly number[];
}

function cutSums(e: Encoder, { outer, channels, inner }: ChannelView): Sums {
  const strip = inner === 1 ? Math.min(Math.ceil(channels / 8) * 8, 64) : 1;
  const strips = Math.ceil(channels / strip);
  const perBlock = Math.max(1, Math.floor(BLOCK / (strip * inner)));
  const blocks = Math.ceil(outer / perBlock);
  const width = Math.ceil(channels / 8) * 8;
  const sums = e.workspace(blocks * 2 * width * 8);
  const unit = strip * Math.min(perBlock, outer) * inner;
  const chunks = cut(e, blocks * strips, 16384 / unit);
  const words = [outer, channels, inner, strip, strips, perBlock, blocks, width, chunks.perChunk];
  return { sums, blocks, width, chunks, words };
}

function cutChannels(e: Encoder, channels: number, work: number): Chunks {
  return cut(e, channels, 4096 / work, 16);
}

/** Words for the kernels that go over all elements: the view and the units (rows or planes) of a chunk. */
function cutElements(
  e: Encoder,
  { outer, channels, inner }: ChannelView,
): Chunks & { readonly words: readonly number[] } {
  const units = inner === 1 ? outer : outer * channels;
  const chunks = cut(e, units, (16384 * units) / (outer * channels * inner));
  return { ...chunks, words: [units, channels, inner, chunks.perChunk] };
}

interface Normalize extends ChannelView {
  readonly x: number;
  readonly y: number;
  readonly mean: number;
  readonly scale: number;
  readonly shift: number;
  readonly clamp?: readonly [number, number];
}

/** y = clamp((x - mean) * scale + shift), by channel. */
function planNormalize(e: Encoder, plan: Normalize): void {
  const { x, y, mean, scale, shift, inner } = plan;
  const [low, high] = plan.clamp ?? [-Infinity, Infinity];
  const { chunks, words } = cutElements(e, plan);
  e.emit(inner === 1 ? 'normalizeRows' : 'normalizePlanes', chunks, [
    ...words,
    x,
    y,
    mean,
    scale,
    shift,
    f32(low),
    f32(high),
  ]);
}

export function planBatchNormTrain(e: Encoder, plan: BatchNormTrain): void {
  const { x, weight, bias, mean, variance, epsilon, outer, channels, inner } = plan;
  const { sums, blocks, width, chunks, words } = cutSums(e, plan);
  const kernel = inner === 1 ? 'sumRows' : 'sumPlanes';
  e.emit(kernel, chunks.chunks, [...words, x, sums]);
  const scale = e.workspace(width * 4);
  const shift = e.workspace(width * 4);
  const count = outer * inner;
  const each = cutChannels(e, channels, blocks);
  e.emit('batchNormStatistics', each.chunks, [
    x,
    inner,
    sums,
    blocks,
    width,
    channels,
    each.perChunk,
    count,
    weight,
    bias,
    mean,
    variance,
    scale,
    shift,
    f32(epsilon),
  ]);
  planNormalize(e, { ...plan, scale, shift });
}

export function planBatchNormEval(e: Encoder, plan: BatchNormEval): void {
  const { weight, bias, variance, channels, epsilon } = plan;
  const scale = e.workspace(Math.ceil(channels / 8) * 32);
  const each = cutChannels(e, channels, 1);
  e.emit('batchNormScale', each.chunks, [
    channels,
    each.perChunk,
    weight,
    variance,
    scale,
    f32(epsilon),
  ]);
  planNormalize(e, { ...plan, scale, shift: bias });
}

export function planBatchNormTrainGradient(e: Encoder, plan: BatchNormTrainGradient): void {
  const { gradient, x, weight, mean, variance, epsilon, outer, channels, inner } = plan;
  const { xGradient, weightGradient, biasGradient } = plan;
  const { sums, blocks, width, chunks, words } = cutSums(e, plan);
  const kernel = inner === 1 ? 'gradientSumRows' : 'gradientSumPlanes';
  e.emit(kernel, chunks.chunks, [...words, gradient, x, mean, sums]);
  const average = e.workspace(width * 4);
  const slope = e.workspace(width * 4);
  const scale = e.workspace(width * 4);
  const each = cutChannels(e, channels, blocks);
  e.emit('batchNormGradientSums', each.chunks, [
    sums,
    blocks,
    width,
    channels,
    each.perChunk,
    outer * inner,
    weight,
    variance,
    weightGradient,
    biasGradient,
    average,
    slope,
    scale,
    f32(epsilon),
  ]);
  const elements = cutElements(e, plan);
  e.emit(inner === 1 ? 'batchNormGradientRows' : 'batchNormGradientPlanes', elements.chunks, [
    ...elements.words,
    gradient,
    x,
    xGradient,
    mean,
    average,
    slope,
    scale,
  ]);
}
