// Ends of arrays that are no whole vectors: what lies beyond may be read, but not written.

/** Stores the first `count` lanes of four; all where there are four or more. */
// @ts-ignore: decorator
@inline
export function storeLanes(to: usize, value: v128, count: i32): void {
  if (count >= 4) {
    v128.store(to, value);
  } else if (count >= 2) {
    v128.store64_lane(to, value, 0);
    if (count == 3) v128.store32_lane(to, value, 2, 8);
  } else {
    v128.store32_lane(to, value, 0);
  }
}
