// Generates the micro-kernels of matrix products and convolutions: tiles of 1 to 6 rows by 8 columns whose sums stay in
// registers. AssemblyScript has no arrays of SIMD values, so every sum is a local of its own, written out here.

const MAX_ROWS = 6;
const range = (n) => Array.from({ length: n }, (_, i) => i);
const lines = (list) => list.join('\n');

/**
 * The innermost loop is not unrolled: Binaryen would nest the multiply-adds and V8 then spills. 12 sums, 2 columns of the panel
 * and 1 element fill V8's 15 registers; so the limits of the clamp are loaded after the loop.
 */
function tile(rows) {
  const sums = range(rows).flatMap((i) => [`s${i}a`, `s${i}b`]);
  return `function tile${rows}(
  offsets: usize, table: usize, taps: i32, from: usize, to: usize, panel: usize, panelBytes: usize, step: usize,
  panels: i32, y: usize, addend: usize, bias: usize, biasStep: usize, limits: usize,
): void {
  do {
    let s0a = v128.load(bias), s0b = v128.load(bias, 16);
${lines(
  range(rows)
    .slice(1)
    .map((i) => `    let s${i}a = s0a, s${i}b = s0b;`),
)}
    let taken = table;
    for (let tap = 0; tap < taps; tap++) {
${lines(range(rows).map((i) => `      const row${i}: usize = load<u32>(taken, ${4 * i});`))}
      let p = panel + <usize>load<u32>(taken, ${4 * MAX_ROWS});
      taken += TAP_BYTES;
      let o = from;
      do {
        const a = v128.load(p), b = v128.load(p, 16);
        let x: v128;
${lines(
  range(rows).map(
    (i) => `        x = v128.load32_splat(row${i} + o);
        s${i}a = madd(x, a, s${i}a);
        s${i}b = madd(x, b, s${i}b);`,
  ),
)}
        p += step;
        o += 4;
      } while (o < to);
    }
    let at: usize;
    if (addend != 0) {
${lines(
  range(rows).map(
    (i) => `      at = addend + <usize>load<u32>(offsets, ${4 * i});
      s${i}a = f32x4.add(s${i}a, v128.load(at));
      s${i}b = f32x4.add(s${i}b, v128.load(at, 16));`,
  ),
)}
      addend += 32;
    }
    const low = v128.load32_splat(limits), high = v128.load32_splat(limits, 4);
${lines(sums.map((s) => `    ${s} = f32x4.pmin(f32x4.pmax(${s}, low), high);`))}
${lines(
  range(rows).map(
    (i) => `    at = y + <usize>load<u32>(offsets, ${4 * i});
    v128.store(at, s${i}a);
    v128.store(at, s${i}b, 16);`,
  ),
)}
    panel += panelBytes;
    y += 32;
    bias += biasStep;
  } while (--panels);
}
`;
}

const SOURCE = `// Micro-kernels: assembly/tiles.ts says what they compute.
import { madd } from '../simd';

/** Bytes of a tap in a table: ${MAX_ROWS} row addresses, the offset of the tap's weights in a panel, 4 unused. */
export const TAP_BYTES: usize = 32;

${range(MAX_ROWS)
  .map((i) => tile(i + 1))
  .join('\n')}
/** By number of rows. Called through the table so that they stay functions of their own, each with its own registers. */
export const tileOf: StaticArray<(
  offsets: usize, table: usize, taps: i32, from: usize, to: usize, panel: usize, panelBytes: usize, step: usize,
  panels: i32, y: usize, addend: usize, bias: usize, biasStep: usize, limits: usize,
) => void> = [
  tile1,
${range(MAX_ROWS)
  .map((i) => `  tile${i + 1},`)
  .join('\n')}
];
`;

export function generate() {
  return { 'micro-kernels.ts': SOURCE };
}
