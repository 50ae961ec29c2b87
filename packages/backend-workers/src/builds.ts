// Two builds of the kernels out of the one module that is compiled (codegen/index.mjs). They differ where kernels multiply and
// add: madd of assembly/simd.ts leaves two marks there, a product and a sum, which take as many bytes as what replaces them.

/** `fma` multiplies and adds with one rounding and needs relaxed SIMD; `base` runs wherever there is SIMD. */
export type Build = 'fma' | 'base';

const SIMD = 253;
const NOP = 1;

/** Instructions that stand for a product and for its sum: i16x8.narrow_i32x4_u and _s. Kernels use them for nothing else. */
export const marks: Readonly<Record<'product' | 'sum', readonly number[]>> = {
  product: [SIMD, 134, 1],
  sum: [SIMD, 133, 1],
};

const instructions = {
  /** Its product waits for the sum: f32x4.relaxed_madd takes all three operands. */
  fma: { product: [NOP, NOP, NOP], sum: [SIMD, 133, 2] },
  /** f32x4.mul, f32x4.add */
  base: { product: [SIMD, 230, 1], sum: [SIMD, 228, 1] },
} as const;

/** Where a mark stands. */
export function* places(module: Uint8Array, [a, b, c]: readonly number[]): Generator<number> {
  for (let at = module.indexOf(a!); at >= 0; at = module.indexOf(a!, at + 1)) {
    if (module[at + 1] === b && module[at + 2] === c) yield at;
  }
}

/** A copy of the compiled module with the instructions of one build. */
export function buildOf(module: Uint8Array, build: Build): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(module);
  for (const part of ['product', 'sum'] as const) {
    for (const at of places(module, marks[part])) bytes.set(instructions[build][part], at);
  }
  return bytes;
}
