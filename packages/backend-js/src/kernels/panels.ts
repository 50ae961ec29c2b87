// The inner half of the matrix product: blocks of the operands packed into panels of doubles, and the kernel that multiplies
// panels. It computes tiles of 3 rows by 3 columns, written out by hand, whose 9 sums stay in variables.

/** Rows, and columns, of a tile; a panel holds as many lines. */
export const TILE = 3;

/** Elements of all row panels, and of all column panels, together. What no product uses takes no memory, only addresses. */
const ROW_CAPACITY = 3 * 2 ** 18;
export const COLUMN_CAPACITY: number = 2 ** 18;

export interface Panels {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  /**
   * Sums of the tiles of one row panel with `count` column panels one after the other, each in C order. Panels start at
   * `row` and `column`; `sums` is written, or added to, from `s` on.
   */
  readonly multiply: (
    row: number,
    column: number,
    depth: number,
    count: number,
    sums: Float64Array,
    s: number,
    add: boolean,
  ) => void;
}

/** Views of one memory that start one element apart. */
function lanes(length: number): [Float64Array, Float64Array, Float64Array] {
  const { buffer } = new Float64Array(length + TILE - 1);
  const lane = (first: number) => new Float64Array(buffer, first * 8, length);
  return [lane(0), lane(1), lane(2)];
}

/**
 * The arrays are constants of the one closure that reads them, so V8 knows their addresses and lengths, and each lane of a
 * panel has a view of its own, so one index and one check of it serve all three. With arrays that are arguments a load takes
 * six instructions, and most of the time goes there: 5.4 GFLOP/s on Node 24 and 4.8 on Node 20, against 9.1 and 7.1. Tiles
 * of 12 sums need more registers than there are.
 */
function createPanels(): Panels {
  const [a0, a1, a2] = lanes(ROW_CAPACITY);
  const [b0, b1, b2] = lanes(COLUMN_CAPACITY);

  const multiply: Panels['multiply'] = (row, column, depth, count, sums, s, add) => {
    // V8 would compute all products of an iteration before the first addition and keep sums in memory, where each addition
    // waits for the last one's store; a branch that could clear the sums of a row makes it add that row first.
    const never = depth < 0;
    const start = row | 0;
    const end = (start + depth * 3) | 0;
    let q = column | 0;
    for (let i = 0; i < count; i++) {
      let c00 = 0.0;
      let c01 = 0.0;
      let c02 = 0.0;
      let c10 = 0.0;
      let c11 = 0.0;
      let c12 = 0.0;
      let c20 = 0.0;
      let c21 = 0.0;
      let c22 = 0.0;
      for (let p = start; p < end; p = (p + 3) | 0) {
        const y0 = b0[q]!;
        const y1 = b1[q]!;
        const y2 = b2[q]!;
        const x0 = a0[p]!;
        c00 += x0 * y0;
        c01 += x0 * y1;
        c02 += x0 * y2;
        if (never) c00 = c01 = c02 = 0.0;
        const x1 = a1[p]!;
        c10 += x1 * y0;
        c11 += x1 * y1;
        c12 += x1 * y2;
        if (never) c10 = c11 = c12 = 0.0;
        const x2 = a2[p]!;
        c20 += x2 * y0;
        c21 += x2 * y1;
        c22 += x2 * y2;
        q = (q + 3) | 0;
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
      s = (s + 9) | 0;
    }
  };
  return { rows: a0, columns: b0, multiply };
}

let panels: Panels | undefined;

/** The panels that all products share; what they hold is lost with the next product. */
export function getPanels(): Panels {
  return (panels ??= createPanels());
}

/**
 * Panels of 3 lines: for each depth, the elements of the 3 lines side by side. Lines missing from the last panel keep what
 * was there, which reaches only sums that are never stored.
 */
export function pack(
  into: Float64Array,
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
  let line = first;
  for (; line + 3 <= first + count; line += 3) {
    const o0 = (offset + lines[line]!) | 0;
    const o1 = (offset + lines[line + 1]!) | 0;
    const o2 = (offset + lines[line + 2]!) | 0;
    for (let i = start; i < end; i++) {
      const d = depths[i]!;
      into[p] = data[(o0 + d) | 0]!;
      into[p + 1] = data[(o1 + d) | 0]!;
      into[p + 2] = data[(o2 + d) | 0]!;
      p = (p + 3) | 0;
    }
  }
  for (let lane = 0; line < first + count; lane++, line++) {
    const o = offset + lines[line]!;
    for (let i = 0; i < length; i++) into[p + 3 * i + lane] = data[o + depths[start + i]!]!;
  }
}
