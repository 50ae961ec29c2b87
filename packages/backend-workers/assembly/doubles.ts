// Sums in doubles of float32 vectors, and the blocks they are kept in: pairs of sums at [block][0 or 1][width], a double a
// channel.

// @ts-ignore: decorator
@inline
export function lowDoubles(value: v128): v128 {
  return f64x2.promote_low_f32x4(value);
}

// @ts-ignore: decorator
@inline
export function highDoubles(value: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(value, value, 1, 1));
}

// @ts-ignore: decorator
@inline
export function total(value: v128): f64 {
  return f64x2.extract_lane(value, 0) + f64x2.extract_lane(value, 1);
}

export function storeSums(
  sums: usize,
  block: i32,
  width: i32,
  channel: i32,
  first0: v128,
  first1: v128,
  second0: v128,
  second1: v128,
): void {
  const to = sums + (<usize>(block * 2 * width + channel) << 3);
  v128.store(to, first0);
  v128.store(to, first1, 16);
  const second = to + (<usize>width << 3);
  v128.store(second, second0);
  v128.store(second, second1, 16);
}

/** The sum over blocks, in their order. */
// @ts-ignore: decorator
@inline
export function sumOfBlocks(at: usize, blocks: i32, width: i32): f64 {
  let sum: f64 = 0;
  for (let block = 0; block < blocks; block++) {
    sum += load<f64>(at);
    at += <usize>width << 4;
  }
  return sum;
}
