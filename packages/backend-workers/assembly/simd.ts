// Where the two builds of the kernels differ.

/**
 * a * b + c: one rounding in the build `fma` (where the machine has FMA), two in the build `base`. The compiler sees two
 * instructions that nothing else uses; src/builds.ts puts those of either build in their place.
 */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return v128.narrow<i32>(v128.narrow<u32>(a, b), c);
}

/** Whether madd rounds once: the last bit of this square, 2^-24, is lost where it is rounded before the sum. */
export function fused(): bool {
  const a = v128.load32_splat(memory.data<f32>([1.000244140625]));
  return f32x4.extract_lane(madd(a, a, f32x4.splat(-1)), 0) != 0.00048828125;
}
