// Four bytes as four 32-bit lanes and back.

/** The first four bytes, unsigned, as int32. */
// @ts-ignore: decorator
@inline
export function widen(bytes: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

/** The low bytes of four int32, in the first four bytes. */
// @ts-ignore: decorator
@inline
export function narrow(v: v128): v128 {
  return i8x16.shuffle(v, v, 0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
}

/** Four masks as 0 or 1 in the first four bytes. */
// @ts-ignore: decorator
@inline
export function narrowMask(mask: v128): v128 {
  return v128.and(narrow(mask), i8x16.splat(1));
}
