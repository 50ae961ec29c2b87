// Packed forms: the right factor of a product as panels of 8 columns, [columns / 8][k][8], the last one filled up with
// zeros. Convolution filters are such factors too: k runs over taps, then over the group's channels.

import type { Encoder } from '../encoder.ts';
import { split } from './chunks.ts';

/** Elements that one thread packs in about 20 us. */
const LEAST_ELEMENTS = 32_768;

export interface PanelSource {
  /** Addresses. */
  readonly from: number;
  readonly to: number;
  readonly columns: number;
  /** k = tap * inner + i. */
  readonly inner: number;
  readonly taps: number;
  /** Distances in elements, which may be negative. */
  readonly columnStride: number;
  readonly innerStride: number;
  readonly tapStride: number;
  readonly batch?: number;
  readonly batchStride?: number;
}

/** Bytes of the packed form. */
export function panelBytes(k: number, columns: number, batch = 1): number {
  return batch * Math.ceil(columns / 8) * k * 32;
}

/** Packs any strided factor; `planPackMatrix` and `planPackFilter` are its usual forms. */
export function planPackPanels(e: Encoder, source: PanelSource): void {
  const { from, to, columns, inner, taps, batch = 1, batchStride = 0 } = source;
  const panels = batch * Math.ceil(columns / 8);
  const wanted = Math.max(1, Math.floor((panels * 8 * inner * taps) / LEAST_ELEMENTS));
  const { perChunk, chunks } = split(panels, Math.min(wanted, e.threads * 6), 1, e.threads);
  const strides = [source.columnStride, source.innerStride, source.tapStride, batchStride];
  if (inner * taps === 0) return;
  e.emit('packPanels', chunks, [
    from,
    to,
    columns,
    inner,
    taps,
    ...strides.map((stride) => stride * 4),
    perChunk,
    panels,
  ]);
}

export interface PackMatrix {
  /** Address of [k, n], or with `transpose` of [n, k]. */
  readonly b: number;
  readonly packed: number;
  readonly k: number;
  readonly n: number;
  readonly transpose: boolean;
  readonly batch?: number;
  /** In elements. */
  readonly batchStride?: number;
}

/** Writes the `panelBytes(k, n, batch)` bytes that `planMatmulPacked` takes. */
export function planPackMatrix(e: Encoder, matrix: PackMatrix): void {
  const { b, packed, k, n, transpose, batch = 1, batchStride = k * n } = matrix;
  planPackPanels(e, {
    from: b,
    to: packed,
    columns: n,
    inner: k,
    taps: 1,
    columnStride: transpose ? k : 1,
    innerStride: transpose ? 1 : n,
    tapStride: 0,
    batch,
    batchStride,
  });
}

export interface PackFilter {
  /** Address of the filter [O, C / groups, kH, kW]. */
  readonly filter: number;
  readonly packed: number;
  readonly outputs: number;
  /** Channels of a group. */
  readonly channels: number;
  /** kH * kW. */
  readonly taps: number;
  readonly groups: number;
}

/** Bytes of a filter in panels: [groups][O / groups / 8][kH * kW * C / groups][8]. */
export function filterPanelBytes({
  outputs,
  channels,
  taps,
  groups,
}: Pick<PackFilter, 'outputs' | 'channels' | 'taps' | 'groups'>): number {
  return panelBytes(taps * channels, outputs / groups, groups);
}

/** Writes the form that `planConv2d` takes as `panels`. */
export function planPackFilter(e: Encoder, filter: PackFilter): void {
  const { outputs, channels, taps, groups } = filter;
  planPackPanels(e, {
    from: filter.filter,
    to: filter.packed,
    columns: outputs / groups,
    inner: channels,
    taps,
    columnStride: channels * taps,
    innerStride: taps,
    tapStride: 1,
    batch: groups,
    batchStride: (outputs / groups) * channels * taps,
  });
}

/** Transposes `batch` matrices [rows, columns], `batchStride` elements apart, into adjacent ones. */
export function planTransposeMatrix(
  e: Encoder,
  {
    from,
    to,
    rows,
    columns,
    batch,
    batchStride,
  }: {
    readonly from: number;
    readonly to: number;
    readonly rows: number;
    readonly columns: number;
    readonly batch: number;
    readonly batchStride: number;
  },
): void {
  const wanted = Math.max(1, Math.floor((rows * columns) / LEAST_ELEMENTS));
  const { perChunk, chunks } = split(columns, Math.min(wanted, e.threads * 6), 16, e.threads);
  e.emit('transposeMatrix', chunks * batch, [
    from,
    to,
    rows,
    columns,
    batchStride * 4,
    batch,
    perChunk,
    chunks,
  ]);
}
