// Picking and adding along an axis by indices. An index out of range fails the command: 0 is picked, nothing is added.

import { fail } from './thread';

/** src/failure.ts: indexOutOfRange. */
const INDEX_OUT_OF_RANGE = 1;

// @kernel
// Arguments: x, indices, y, length and picks along the axis, elements a step of it, count, elements per chunk.
export function gather(a: usize, chunk: i32): void {
  pick<u32>(a, chunk);
}

// @kernel
// As gather.
export function gatherBytes(a: usize, chunk: i32): void {
  pick<u8>(a, chunk);
}

function pick<T>(a: usize, chunk: i32): void {
  const indices: usize = load<u32>(a, 4);
  const y: usize = load<u32>(a, 8);
  const length = load<u32>(a, 12);
  const picks = load<u32>(a, 16);
  const inner = load<u32>(a, 20);
  const perChunk = load<u32>(a, 28);
  let at = <u32>chunk * perChunk;
  const end = min(at + perChunk, load<u32>(a, 24));
  let step = at % inner;
  let picked = (at / inner) % picks;
  let from: usize = <usize>load<u32>(a) + <usize>(at / inner / picks) * length * inner * sizeof<T>();
  while (at < end) {
    const run = min(inner - step, end - at);
    for (let i: u32 = 0; i < run; i++) {
      const index = load<u32>(indices + (<usize>(at + i) << 2));
      let value: T = 0;
      if (index < length) value = load<T>(from + <usize>(index * inner + step + i) * sizeof<T>());
      else fail(a, INDEX_OUT_OF_RANGE, index);
      store<T>(y + <usize>(at + i) * sizeof<T>(), value);
    }
    at += run;
    step = 0;
    picked++;
    if (picked == picks) {
      picked = 0;
      from += <usize>(length * inner) * sizeof<T>();
    }
  }
}

// @kernel
// Arguments: indices, updates, y, length and picks along the axis, elements a step of it, elements of a strip of these,
// strips, units (strips of all outer indices), units per chunk.
export function scatterAdd(a: usize, chunk: i32): void {
  scatter<f32>(a, chunk);
}

// @kernel
// As scatterAdd.
export function scatterAddInt32(a: usize, chunk: i32): void {
  scatter<i32>(a, chunk);
}

function scatter<T>(a: usize, chunk: i32): void {
  const length = load<u32>(a, 12);
  const picks = load<u32>(a, 16);
  const inner = load<u32>(a, 20);
  const strip = load<u32>(a, 24);
  const strips = load<u32>(a, 28);
  const perChunk = load<u32>(a, 36);
  const end = min((<u32>chunk + 1) * perChunk, load<u32>(a, 32));
  for (let unit = <u32>chunk * perChunk; unit < end; unit++) {
    const outer = unit / strips;
    const first = (unit % strips) * strip;
    const count = min(strip, inner - first);
    const y: usize = <usize>load<u32>(a, 8) + (<usize>(outer * length * inner + first) << 2);
    let from: usize = <usize>(outer * picks * inner + first) << 2;
    for (let p: u32 = 0; p < picks; p++) {
      const indices = <usize>load<u32>(a) + from;
      const updates = <usize>load<u32>(a, 4) + from;
      for (let i: u32 = 0; i < count; i++) {
        const index = load<u32>(indices + (<usize>i << 2));
        if (index < length) {
          const to = y + (<usize>(index * inner + i) << 2);
          store<T>(to, load<T>(to) + load<T>(updates + (<usize>i << 2)));
        } else {
          fail(a, INDEX_OUT_OF_RANGE, index);
        }
      }
      from += <usize>inner << 2;
    }
  }
}
