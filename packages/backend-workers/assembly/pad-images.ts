// Images with zeros put around them, or some of their edge cut off: what convolutions of few channels read.

// @kernel
// Arguments: from, to, rows to be written of all images, rows of an image read and written, rows put above; floats of a row read
// and written, floats put before; rows per chunk. What is put above or before may be negative: so much is cut.
export function padImages(a: usize, chunk: i32): void {
  const height = load<u32>(a, 12), outHeight = load<i32>(a, 16), above = load<i32>(a, 20);
  const length = load<i32>(a, 24), outLength = load<i32>(a, 28), before = load<i32>(a, 32);
  const perChunk = load<i32>(a, 36), first = chunk * perChunk, end = min(first + perChunk, load<i32>(a, 8));
  const start = min(max(before, 0), outLength), stop = max(start, min(length + before, outLength));
  let to: usize = <usize>load<u32>(a, 4) + (<usize>(first * outLength) << 2);
  for (let row = first; row < end; row++) {
    const image = row / outHeight, y = row - image * outHeight - above;
    const inside = <u32>y < height;
    const rowStart = inside ? start : outLength, rowStop = inside ? stop : outLength;
    let from: usize = <usize>load<u32>(a) + (<usize>((image * <i32>height + y) * length + start - before) << 2);
    let i = 0;
    for (; i < rowStart; i++, to += 4) store<f32>(to, 0);
    for (; i + 4 <= rowStop; i += 4, to += 16, from += 16) v128.store(to, v128.load(from));
    for (; i < rowStop; i++, to += 4, from += 4) store<f32>(to, load<f32>(from));
    for (; i < outLength; i++, to += 4) store<f32>(to, 0);
  }
}
