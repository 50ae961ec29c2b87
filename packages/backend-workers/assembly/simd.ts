// SIMD pieces that differ between the two builds.

/** a * b + c: one rounding in the build with relaxed SIMD (where the machine has FMA), two in the base build. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}
