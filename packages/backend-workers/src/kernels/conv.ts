// Plans of whole convolutions over images stored channels last, by the algorithm that `chooseConv` names.

import type { Encoder, Precision } from '../encoder.ts';
import type { ConvGeometry, Pair } from './conv-geometry.ts';
import { NO_CLAMP, planMatmulPacked } from './gemm.ts';
import { convPhases, planIndirectConv } from './indirect-conv.ts';
import { filterPanelBytes, planPackFilter } from './pack.ts';
import {
  planWinogradConv,
  planWinogradFilter,
  winogradFilterBytes,
  type WinogradSize,
} from './winograd.ts';

export type { ConvGeometry } from './conv-geometry.ts';

/** `product`: a plain matrix product over pixels. `winograd4`, `winograd2`: minimal filtering by tiles of 4x4 or 2x2. */
export type ConvAlgorithm = 'product' | 'indirect' | 'winograd4' | 'winograd2';

/** How a filter is stored for an algorithm: what packed forms are cached by. */
export type FilterForm = 'panels' | 'winograd4' | 'winograd2';

export function filterForm(algorithm: ConvAlgorithm): FilterForm {
  return algorithm === 'product' || algorithm === 'indirect' ? 'panels' : algorithm;
}

/**
 * Transformed filters larger than this are not kept: F4 of 512 by 512 channels takes 36 MiB, four times its weights,
 * for each layer of such a size.
 */
const MOST_FILTER_BYTES = 16 << 20;

/**
 * The algorithm for a convolution; it does not depend on the number of threads, so results do not either.
 *
 * Measured on one Zen 4 thread, in GFLOP/s of the plain convolution, by F4, F2, and directly: 64 channels on 56x56 152, 93,
 * 52; 128 on 28x28 174, 98, 52; 256 on 14x14 125, 105, 52; 16 on 32x32 89, 53, 45; 512 on 7x7, where filters come from beyond
 * the caches, 52 to 133, 55 to 68, 47. Errors against float64, rms of the output's, at 64 and 256 channels: F4 8e-7 and
 * 1.7e-6, F2 2.7e-7 and 5e-7, direct 4e-7 and 4.7e-7. So F2 is as exact as the definition, and `strict` takes it.
 */
export function chooseConv(geometry: ConvGeometry, precision: Precision): ConvAlgorithm {
  const { kernelSize, stride, padding, dilation, lhsDilation, groups } = geometry;
  const { channels, outputs, outputSize } = geometry;
  const isPlain = groups === 1 && [...stride, ...lhsDilation].every((value) => value === 1);
  if (isPlain && kernelSize.every((length) => length === 1) && padding.every((p) => p === 0)) {
    return 'product';
  }
  const suits =
    isPlain &&
    kernelSize.every((length) => length === 3) &&
    dilation.every((value) => value === 1) &&
    channels >= 16 &&
    outputs >= 16 &&
    Math.min(...outputSize) >= 7;
  if (!suits) return 'indirect';
  const fits = (m: WinogradSize): boolean =>
    winogradFilterBytes(m, channels, outputs) <= MOST_FILTER_BYTES;
  if (precision === 'fast' && fits(4)) return 'winograd4';
  return fits(2) ? 'winograd2' : 'indirect';
}

function filterOf({ outputs, channels, groups, kernelSize }: ConvGeometry): {
  outputs: number;
  channels: number;
  taps: number;
  groups: number;
} {
  return { outputs, channels: channels / groups, taps: kernelSize[0] * kernelSize[1], groups };
}

function winogradSize(form: 'winograd4' | 'winograd2'): WinogradSize {
  return form === 'winograd4' ? 4 : 2;
}

export function filterFormBytes(geometry: ConvGeometry, form: FilterForm): number {
  const { channels, outputs } = geometry;
  if (form !== 'panels') return winogradFilterBytes(winogradSize(form), channels, outputs);
  return filterPanelBytes(filterOf(geometry));
}

export interface FilterPlan {
  readonly geometry: ConvGeometry;
  readonly form: FilterForm;
  /** Address of the filter [O, C / groups, kH, kW]. */
  readonly filter: number;
  /** Address of `filterFormBytes`. */
  readonly to: number;
}

/** Brings a filter into the form that `planConv2d` reads. */
export function planFilterForm(e: Encoder, { geometry, form, filter, to }: FilterPlan): void {
  const { channels, outputs } = geometry;
  if (form !== 'panels') {
    planWinogradFilter(e, { m: winogradSize(form), filter, to, channels, outputs });
    return;
  }
  planPackFilter(e, { ...filterOf(geometry), filter, packed: to });
}

export interface Conv2d {
  readonly geometry: ConvGeometry;
  readonly algorithm: ConvAlgorithm;
  /** Addresses: x [N, H, W, C]; the filter in the algorithm's form; y [N, H', W', O]. */
  readonly x: number;
  readonly filter: number;
  readonly y: number;
  /** Address of [O], or 0. */
  readonly bias?: number;
  /** Address of a tensor laid out as y that is added before the clamp, or 0. */
  readonly residual?: number;
  readonly clamp?: Pair;
}

/** y = clamp(conv(x, filter) + bias + residual). */
export function planConv2d(e: Encoder, conv: Conv2d): void {
  const { geometry, algorithm, x, filter, y, bias = 0, residual = 0, clamp = NO_CLAMP } = conv;
  const { batch, channels, outputs, groups, size } = geometry;
  if (batch * outputs * geometry.outputSize[0] * geometry.outputSize[1] === 0) return;
  if (algorithm === 'winograd4' || algorithm === 'winograd2') {
    const m = winogradSize(algorithm);
    planWinogradConv(e, { m, geometry, x, filter, y, bias, residual, clamp });
    return;
  }
  if (algorithm === 'product') {
    const m = batch * size[0] * size[1];
    const product = { a: x, packed: filter, y, m, n: outputs, k: channels };
    planMatmulPacked(e, { ...product, bias, addend: residual, clamp });
    return;
  }
  for (const rows of convPhases(geometry, 0)) {
    for (const columns of convPhases(geometry, 1)) {
      const sizes = { batch, channels, outputs, groups, rows, columns };
      planIndirectConv(e, { ...sizes, x, panels: filter, y, bias, addend: residual, clamp });
    }
  }
}
