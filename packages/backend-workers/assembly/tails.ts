// The ends of arrays whose length is no multiple of a vector: computed like any other vector, stored or counted in part.

/** Stores the first `count` (1 to 15) bytes. */
export function storeBytes(to: usize, v: v128, count: i32): void {
  if (count & 8) {
    v128.store64_lane(to, v, 0);
    v = i64x2.shuffle(v, v, 1, 1);
    to += 8;
  }
  if (count & 4) {
    v128.store32_lane(to, v, 0);
    v = i32x4.shuffle(v, v, 1, 1, 1, 1);
    to += 4;
  }
  if (count & 2) {
    v128.store16_lane(to, v, 0);
    v = i16x8.shuffle(v, v, 1, 1, 1, 1, 1, 1, 1, 1);
    to += 2;
  }
  if (count & 1) v128.store8_lane(to, v, 0);
}

/** All ones in the first `count` of four lanes; from 4 on in all. */
// @ts-ignore: decorator
@inline
export function firstLanes(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}
