// Walks inputs that broadcast together with an output that is contiguous, line by line along the last axis. What is computed
// on a line is a function that reads each input as vectors: `delta` bytes from one to the next, which is 0 where the input
// repeats. Inputs whose neighbours lie apart are gathered into scratch memory first, a piece of a line at a time.

import { scratch } from './thread';

/** Inputs x0 to x2 with their deltas, the output, and how many elements. */
export type Line = (
  x0: usize,
  delta0: usize,
  x1: usize,
  delta1: usize,
  x2: usize,
  delta2: usize,
  y: usize,
  n: i32,
) => void;

const PIECE: i32 = 1024;
const AREA: usize = 4096 + 64;

/**
 * Arguments: y, count, elements per chunk, rank, lengths..., then for each input its address and strides in bytes...
 * `bytes0` to `bytes2` are the sizes of an input's elements (0: no such input), `bytes` of the output's; `lanes` is how many
 * elements `line` takes at a time.
 */
export function broadcast(
  a: usize,
  chunk: i32,
  bytes0: i32,
  bytes1: i32,
  bytes2: i32,
  bytes: i32,
  lanes: i32,
  line: Line,
): void {
  const perChunk = load<u32>(a, 8);
  const first = <u32>chunk * perChunk;
  let left = <i32>min(perChunk, load<u32>(a, 4) - first);
  let y = <usize>load<u32>(a) + <usize>first * bytes;
  const rank = load<i32>(a, 12);
  const lengths = a + 16;
  const in0 = lengths + (<usize>rank << 2);
  const in1 = in0 + 4 + (<usize>rank << 2);
  const in2 = in1 + 4 + (<usize>rank << 2);
  const last = <usize>(rank - 1) << 2;

  const length = load<u32>(lengths + last);
  const step0 = load<i32>(in0 + last, 4);
  const step1 = load<i32>(in1 + last, 4);
  const step2 = bytes2 ? load<i32>(in2 + last, 4) : 0;
  const delta0 = <usize>(step0 ? bytes0 * lanes : 0);
  const delta1 = <usize>(step1 ? bytes1 * lanes : 0);
  const delta2 = <usize>(step2 ? bytes2 * lanes : 0);
  const gathers =
    (step0 != 0 && step0 != bytes0) || (step1 != 0 && step1 != bytes1) || (step2 != 0 && step2 != bytes2);
  const area = scratch();

  let index = first / length;
  let within = <i32>(first - index * length);
  for (; left > 0; index++) {
    let x0 = <usize>load<u32>(in0) + within * step0;
    let x1 = <usize>load<u32>(in1) + within * step1;
    let x2 = bytes2 ? <usize>load<u32>(in2) + within * step2 : 0;
    let rest = index;
    for (let at = last; at > 0; ) {
      at -= 4;
      // The outermost axis needs no division.
      const quotient = at ? rest / load<u32>(lengths + at) : 0;
      const place = rest - quotient * load<u32>(lengths + at);
      x0 += place * load<i32>(in0 + at, 4);
      x1 += place * load<i32>(in1 + at, 4);
      if (bytes2) x2 += place * load<i32>(in2 + at, 4);
      rest = quotient;
    }
    let run = min(left, <i32>length - within);
    left -= run;
    within = 0;
    while (run > 0) {
      const n = gathers ? min(run, PIECE) : run;
      line(
        operand(x0, step0, bytes0, n, area),
        delta0,
        operand(x1, step1, bytes1, n, area + AREA),
        delta1,
        bytes2 ? operand(x2, step2, bytes2, n, area + 2 * AREA) : 0,
        delta2,
        y,
        n,
      );
      x0 += n * step0;
      x1 += n * step1;
      x2 += n * step2;
      y += n * bytes;
      run -= n;
    }
  }
}

/** Where `n` elements of an input can be read as vectors. */
// @ts-ignore: decorator
@inline
function operand(x: usize, step: i32, bytes: i32, n: i32, area: usize): usize {
  return step == bytes ? x : prepare(x, step, bytes, n, area);
}

function prepare(x: usize, step: i32, bytes: i32, n: i32, area: usize): usize {
  if (step == 0) {
    v128.store(area, bytes == 4 ? v128.load32_splat(x) : v128.load8_splat(x));
  } else if (bytes == 4) {
    for (let i = 0; i < n; i++, x += step) store<u32>(area + (<usize>i << 2), load<u32>(x));
  } else {
    for (let i = 0; i < n; i++, x += step) store<u8>(area + i, load<u8>(x));
  }
  return area;
}
