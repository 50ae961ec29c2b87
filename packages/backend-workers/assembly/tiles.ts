// What matrix products and convolutions share: rows of a table, times panels of 8 columns.
//
// A *panel* holds 8 columns of the right factor: element k of column j at k * step + 4 * j. A *table* lists, for each tap, the
// addresses of the tile's rows and where in a panel the tap's weights begin (TAP_BYTES each); element k of row i of a tap is
// at row + 4 * k. Each sum runs over taps in order and, in a tap, over bytes `from` to `to` of its rows, one element after the
// other: the same roundings in every tile, whatever its height, so chunk bounds never change a result.

import { tileOf } from './generated/micro-kernels';
import { fused } from './simd';

/** Bytes at the start of scratch memory that `prepare` fills and `multiply` uses; tables stand behind them. */
export const RESERVED: usize = 320;

const UNLIMITED: usize = 32;
const NO_BIAS: usize = 64;
const EDGE: usize = 96;

/** Rows of a full tile: 6 fill the registers where multiply-adds are fused; `asked` 4 or 6 says otherwise. */
export function tileRows(asked: i32): i32 {
  return asked != 0 ? asked : fused() ? 6 : 4;
}

/** Writes constants into the first `RESERVED` bytes of scratch memory. */
export function prepare(scratch: usize): void {
  for (let i: usize = 0; i < 6; i++) store<u32>(scratch + 4 * i, <u32>(32 * i));
  store<f32>(scratch + UNLIMITED, -Infinity);
  store<f32>(scratch + UNLIMITED, Infinity, 4);
  v128.store(scratch + NO_BIAS, i32x4.splat(0));
  v128.store(scratch + NO_BIAS, i32x4.splat(0), 16);
}

/** Address of the limits (lowest, highest) that clamp nothing. */
export function unlimited(scratch: usize): usize {
  return scratch + UNLIMITED;
}

/**
 * y[i][j] = clamp(bias[j] + sum + addend[i][j]) for `rows` rows and `columns` columns. Row i of y (and of the addend, unless
 * 0) starts `offsets[i]` bytes on. `bias` may be 0. `limits` is the address of the clamp's two limits.
 */
export function multiply(
  scratch: usize,
  rows: i32,
  offsets: usize,
  table: usize,
  taps: i32,
  from: usize,
  to: usize,
  panel: usize,
  panelBytes: usize,
  step: usize,
  columns: i32,
  y: usize,
  addend: usize,
  bias: usize,
  limits: usize,
): void {
  const tile = unchecked(tileOf[rows]);
  const biasStep: usize = bias != 0 ? 32 : 0;
  if (bias == 0) bias = scratch + NO_BIAS;
  const panels = columns >> 3;
  if (panels > 0) {
    tile(offsets, table, taps, from, to, panel, panelBytes, step, panels, y, addend, bias, biasStep, limits);
  }
  columns &= 7;
  if (columns == 0) return;

  // The last panel is not full: the tile goes to scratch memory, and its columns from there.
  panel += <usize>panels * panelBytes;
  y += (<usize>panels) << 5;
  if (addend != 0) addend += (<usize>panels) << 5;
  bias += <usize>panels * biasStep;
  tile(scratch, table, taps, from, to, panel, 0, step, 1, scratch + EDGE, 0, bias, 0, scratch + UNLIMITED);
  const low = v128.load32_splat(limits), high = v128.load32_splat(limits, 4);
  for (let i = 0; i < rows; i++) {
    const offset: usize = load<u32>(offsets + ((<usize>i) << 2));
    const edge = scratch + EDGE + ((<usize>i) << 5);
    let value = v128.load(edge);
    let more = v128.load(edge, 16);
    if (addend != 0) {
      value = f32x4.add(value, v128.load(addend + offset));
      more = f32x4.add(more, v128.load(addend + offset, 16));
    }
    value = f32x4.pmin(f32x4.pmax(value, low), high);
    more = f32x4.pmin(f32x4.pmax(more, low), high);
    storeColumns(y + offset, value, more, columns);
  }
}

/** Stores the first 1 to 7 of 8 columns. */
// @ts-ignore: decorator
@inline
export function storeColumns(to: usize, value: v128, more: v128, columns: i32): void {
  if (columns & 4) {
    v128.store(to, value);
    value = more;
    to += 16;
  }
  if (columns & 2) {
    v128.store64_lane(to, value, 0);
    value = i64x2.shuffle(value, value, 1, 1);
    to += 8;
  }
  if (columns & 1) v128.store32_lane(to, value, 0);
}
