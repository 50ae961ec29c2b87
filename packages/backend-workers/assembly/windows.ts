// Where pooling windows lie. Words 0 to 12 of the kernels' arguments are C, H, W, H', W', kernel size, stride, padding above
// and to the left, dilation (height before width); 13 to 16 rows of pixels, channels a block, blocks, units per chunk.

/** The first element inside of a window that begins at `origin`. */
// @ts-ignore: decorator
@inline
export function firstInside(origin: i32, dilation: i32): i32 {
  return origin >= 0 ? origin : origin + ((dilation - 1 - origin) / dilation) * dilation;
}

/** How many of `taps` elements from `origin` on lie in [low, high). */
export function countInside(origin: i32, taps: i32, dilation: i32, low: i32, high: i32): i32 {
  const first = origin < low ? (low - origin + dilation - 1) / dilation : 0;
  const end = origin < high ? min(taps, (high - 1 - origin) / dilation + 1) : 0;
  return max(0, end - first);
}

/** The window at [row, column] of the pooled image: what its sum is divided by, from the words of the divisor at `words`. */
export function divisorOf(a: usize, words: usize, row: i32, column: i32): f32 {
  if (load<i32>(words) == 0) return load<f32>(words, 4);
  const high = countInside(
    row * load<i32>(a, 28) - load<i32>(a, 36),
    load<i32>(a, 20),
    load<i32>(a, 44),
    -load<i32>(words, 8),
    load<i32>(a, 4) + load<i32>(words, 12),
  );
  const wide = countInside(
    column * load<i32>(a, 32) - load<i32>(a, 40),
    load<i32>(a, 24),
    load<i32>(a, 48),
    -load<i32>(words, 16),
    load<i32>(a, 8) + load<i32>(words, 20),
  );
  return <f32>high * <f32>wide;
}
