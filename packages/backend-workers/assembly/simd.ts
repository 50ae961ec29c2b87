// The SIMD piece in which the two builds of the kernels differ.

/**
 * a * b + c: one rounding in the build `fma` (where the machine has FMA), two in the build `base`. The compiler sees two
 * instructions that nothing else uses; src/builds.ts puts those of either build in their place.
 */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return v128.narrow<i32>(v128.narrow<u32>(a, b), c);
}
