// The inner half of the matrix product: blocks of the operands packed into panels of doubles, and the kernel that multiplies
// panels. It computes tiles of 4 rows by 3 columns, written out by hand, whose 12 sums stay in variables.

export const TILE_ROWS = 4;
export const TILE_COLUMNS = 3;

/**
 * Panels of 4 lines: for each depth, the elements of the 4 lines side by side. Lines missing from the last panel are zeros,
 * which reach only sums that are never stored; an odd depth is made even by zeros in both operands.
 */
export function packFours(
  panels: Float64Array,
  data: Float32Array,
  offset: number,
  lines: Int32Array,
  first: number,
  count: number,
  depths: Int32Array,
  start: number,
  length: number,
): void {
  const end = start + length;
  let p = 0;
  let line = 0;
  for (; line + 4 <= count; line += 4) {
    const o0 = (offset + lines[first + line]!) | 0;
    const o1 = (offset + lines[first + line + 1]!) | 0;
    const o2 = (offset + lines[first + line + 2]!) | 0;
    const o3 = (offset + lines[first + line + 3]!) | 0;
    for (let i = start; i < end; i++) {
      const d = depths[i]!;
      panels[p] = data[(o0 + d) | 0]!;
      panels[p + 1] = data[(o1 + d) | 0]!;
      panels[p + 2] = data[(o2 + d) | 0]!;
      panels[p + 3] = data[(o3 + d) | 0]!;
      p = (p + 4) | 0;
    }
    if (length & 1) {
      panels.fill(0, p, p + 4);
      p = (p + 4) | 0;
    }
  }
  if (line < count)
    packRest(panels, p, 4, data, offset, lines, first + line, count - line, depths, start, length);
}

/** Panels of 3 lines, as `packFours`. */
export function packThrees(
  panels: Float64Array,
  data: Float32Array,
  offset: number,
  lines: Int32Array,
  first: number,
  count: number,
  depths: Int32Array,
  start: number,
  length: number,
): void {
  const end = start + length;
  let p = 0;
  let line = 0;
  for (; line + 3 <= count; line += 3) {
    const o0 = (offset + lines[first + line]!) | 0;
    const o1 = (offset + lines[first + line + 1]!) | 0;
    const o2 = (offset + lines[first + line + 2]!) | 0;
    for (let i = start; i < end; i++) {
      const d = depths[i]!;
      panels[p] = data[(o0 + d) | 0]!;
      panels[p + 1] = data[(o1 + d) | 0]!;
      panels[p + 2] = data[(o2 + d) | 0]!;
      p = (p + 3) | 0;
    }
    if (length & 1) {
      panels.fill(0, p, p + 3);
      p = (p + 3) | 0;
    }
  }
  if (line < count)
    packRest(panels, p, 3, data, offset, lines, first + line, count - line, depths, start, length);
}

function packRest(
  panels: Float64Array,
  at: number,
  width: number,
  data: Float32Array,
  offset: number,
  lines: Int32Array,
  first: number,
  count: number,
  depths: Int32Array,
  start: number,
  length: number,
): void {
  for (let lane = 0; lane < width; lane++) {
    let p = at + lane;
    const o = lane < count ? offset + lines[first + lane]! : 0;
    for (let i = 0; i < length; i++) {
      panels[p] = lane < count ? data[o + depths[start + i]!]! : 0;
      p += width;
    }
    if (length & 1) panels[p] = 0;
  }
}

/**
 * Sums of all tiles of a block, tile after tile (row panels outside), each 4 by 3 in C order. `depth` is even.
 *
 * `never` is false. V8 would otherwise compute all products of an iteration before the first addition and keep half of the
 * sums in memory; a branch that could clear a row of sums makes it add the row first (7 to 10 % on Node 20 and 24).
 */
export function multiplyPanels(
  a: Float64Array,
  b: Float64Array,
  depth: number,
  rowPanels: number,
  columnPanels: number,
  sums: Float64Array,
  add: boolean,
  never: boolean,
): void {
  let s = 0;
  for (let i = 0; i < rowPanels; i++) {
    const aStart = (i * depth * 4) | 0;
    const aEnd = (aStart + depth * 4) | 0;
    let q = 0;
    for (let j = 0; j < columnPanels; j++) {
      let c00 = 0.0;
      let c01 = 0.0;
      let c02 = 0.0;
      let c10 = 0.0;
      let c11 = 0.0;
      let c12 = 0.0;
      let c20 = 0.0;
      let c21 = 0.0;
      let c22 = 0.0;
      let c30 = 0.0;
      let c31 = 0.0;
      let c32 = 0.0;
      for (let p = aStart; p < aEnd; p = (p + 8) | 0) {
        const b0 = b[q]!;
        const b1 = b[(q + 1) | 0]!;
        const b2 = b[(q + 2) | 0]!;
        const a0 = a[p]!;
        c00 += a0 * b0;
        c01 += a0 * b1;
        c02 += a0 * b2;
        if (never) c00 = c01 = c02 = 0.0;
        const a1 = a[(p + 1) | 0]!;
        c10 += a1 * b0;
        c11 += a1 * b1;
        c12 += a1 * b2;
        if (never) c10 = c11 = c12 = 0.0;
        const a2 = a[(p + 2) | 0]!;
        c20 += a2 * b0;
        c21 += a2 * b1;
        c22 += a2 * b2;
        if (never) c20 = c21 = c22 = 0.0;
        const a3 = a[(p + 3) | 0]!;
        c30 += a3 * b0;
        c31 += a3 * b1;
        c32 += a3 * b2;
        if (never) c30 = c31 = c32 = 0.0;
        const d0 = b[(q + 3) | 0]!;
        const d1 = b[(q + 4) | 0]!;
        const d2 = b[(q + 5) | 0]!;
        const a4 = a[(p + 4) | 0]!;
        c00 += a4 * d0;
        c01 += a4 * d1;
        c02 += a4 * d2;
        if (never) c00 = c01 = c02 = 0.0;
        const a5 = a[(p + 5) | 0]!;
        c10 += a5 * d0;
        c11 += a5 * d1;
        c12 += a5 * d2;
        if (never) c10 = c11 = c12 = 0.0;
        const a6 = a[(p + 6) | 0]!;
        c20 += a6 * d0;
        c21 += a6 * d1;
        c22 += a6 * d2;
        if (never) c20 = c21 = c22 = 0.0;
        const a7 = a[(p + 7) | 0]!;
        c30 += a7 * d0;
        c31 += a7 * d1;
        c32 += a7 * d2;
        q = (q + 6) | 0;
      }
      if (add) {
        c00 += sums[s]!;
        c01 += sums[s + 1]!;
        c02 += sums[s + 2]!;
        c10 += sums[s + 3]!;
        c11 += sums[s + 4]!;
        c12 += sums[s + 5]!;
        c20 += sums[s + 6]!;
        c21 += sums[s + 7]!;
        c22 += sums[s + 8]!;
        c30 += sums[s + 9]!;
        c31 += sums[s + 10]!;
        c32 += sums[s + 11]!;
      }
      sums[s] = c00;
      sums[s + 1] = c01;
      sums[s + 2] = c02;
      sums[s + 3] = c10;
      sums[s + 4] = c11;
      sums[s + 5] = c12;
      sums[s + 6] = c20;
      sums[s + 7] = c21;
      sums[s + 8] = c22;
      sums[s + 9] = c30;
      sums[s + 10] = c31;
      sums[s + 11] = c32;
      s = (s + 12) | 0;
    }
  }
}
