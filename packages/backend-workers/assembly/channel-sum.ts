// Sums over all pixels of each channel of NHWC data: the gradient of a bias. Pixels are summed in spans, spans in parts, and
// parts in float64, in that order however many threads there are.

/** Pixels that are summed before their sum joins the part's. */
const SPAN = 64;

// @kernel
// A part's sums, rows of C rounded up to 4. Arguments: x, sums, pixels, channels, pixels a part.
export function channelSumParts(a: usize, chunk: i32): void {
  const c = load<i32>(a, 12), perPart = load<i32>(a, 16);
  const first = chunk * perPart, end = min(first + perPart, load<i32>(a, 8));
  const padded = (c + 3) & ~3;
  const sums: usize = <usize>load<u32>(a, 4) + (<usize>(chunk * padded) << 2);
  const pixel: usize = <usize>c << 2;
  memory.fill(sums, 0, <usize>padded << 2);
  for (let span = first; span < end; span += SPAN) {
    const count = min(SPAN, end - span);
    const from: usize = <usize>load<u32>(a) + <usize>span * pixel;
    let channel = 0;
    for (; channel + 16 <= c; channel += 16) {
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      let at: usize = from + (<usize>channel << 2);
      for (let i = 0; i < count; i++, at += pixel) {
        s0 = f32x4.add(s0, v128.load(at));
        s1 = f32x4.add(s1, v128.load(at, 16));
        s2 = f32x4.add(s2, v128.load(at, 32));
        s3 = f32x4.add(s3, v128.load(at, 48));
      }
      const to: usize = sums + (<usize>channel << 2);
      v128.store(to, f32x4.add(v128.load(to), s0));
      v128.store(to, f32x4.add(v128.load(to, 16), s1), 16);
      v128.store(to, f32x4.add(v128.load(to, 32), s2), 32);
      v128.store(to, f32x4.add(v128.load(to, 48), s3), 48);
    }
    for (; channel < c; channel += 4) {
      // Even and odd pixels apart: a single chain of additions would wait for itself.
      let s0 = f32x4.splat(0), s1 = s0;
      let at: usize = from + (<usize>channel << 2), i = 0;
      for (; i + 2 <= count; i += 2, at += 2 * pixel) {
        s0 = f32x4.add(s0, v128.load(at));
        s1 = f32x4.add(s1, v128.load(at + pixel));
      }
      if (i < count) s0 = f32x4.add(s0, v128.load(at));
      const to: usize = sums + (<usize>channel << 2);
      v128.store(to, f32x4.add(v128.load(to), f32x4.add(s0, s1)));
    }
  }
}

// @kernel
// Adds the parts. Arguments: sums, out, channels, parts, channels a chunk.
export function addChannelSums(a: usize, chunk: i32): void {
  const c = load<i32>(a, 8), parts = load<i32>(a, 12), perChunk = load<i32>(a, 16);
  const first = chunk * perChunk, end = min(first + perChunk, c);
  const padded: usize = <usize>((c + 3) & ~3) << 2;
  for (let channel = first; channel < end; channel++) {
    let sum: f64 = 0, at: usize = <usize>load<u32>(a) + (<usize>channel << 2);
    for (let i = 0; i < parts; i++, at += padded) sum += <f64>load<f32>(at);
    store<f32>(<usize>load<u32>(a, 4) + (<usize>channel << 2), <f32>sum);
  }
}
