// Ramps and random words.

import { storeLanes } from './lanes';

// @kernel
// Arguments: to, count, length of the axis, elements a step of it, whether float32, elements per chunk.
export function iota(a: usize, chunk: i32): void {
  const length = load<u32>(a, 8);
  const inner = load<u32>(a, 12);
  const float = load<i32>(a, 16) != 0;
  const perChunk = load<u32>(a, 20);
  const first = <u32>chunk * perChunk;
  let left = min(perChunk, load<u32>(a, 4) - first);
  let index = (first / inner) % length;
  let run = inner - (first % inner);
  let to: usize = <usize>load<u32>(a) + (<usize>first << 2);
  while (left > 0) {
    if (inner == 1) {
      const steps = min(length - index, left);
      ramp(to, index, steps, float);
      to += <usize>steps << 2;
      left -= steps;
      index = 0;
      continue;
    }
    const repeats = min(run, left);
    const value = float ? f32x4.splat(<f32>index) : i32x4.splat(index);
    for (let i: u32 = 0; i < repeats; i += 4) {
      storeLanes(to + (<usize>i << 2), value, repeats - i);
    }
    to += <usize>repeats << 2;
    left -= repeats;
    run = inner;
    index = index + 1 == length ? 0 : index + 1;
  }
}

function ramp(to: usize, from: u32, steps: u32, float: bool): void {
  let value = i32x4.add(i32x4.splat(from), i32x4(0, 1, 2, 3));
  const four = i32x4.splat(4);
  for (let i: u32 = 0; i < steps; i += 4) {
    const stored = float ? f32x4.convert_i32x4_u(value) : value;
    storeLanes(to + (<usize>i << 2), stored, steps - i);
    value = i32x4.add(value, four);
  }
}

// @ts-ignore: decorator
@inline
function turn(value: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(value, bits), i32x4.shr_u(value, 32 - bits));
}

// @kernel
// Threefry-2x32 of 20 rounds, as backend-api's threefry.ts defines it, four blocks at a time: element i is word i % 2 of
// block i / 2, less its low 8 bits. Arguments: key, to, count, elements per chunk (a multiple of 8).
export function randomBits(a: usize, chunk: i32): void {
  const key: usize = load<u32>(a);
  const perChunk = load<i32>(a, 12);
  const first = chunk * perChunk;
  const count = min(perChunk, load<i32>(a, 8) - first);
  const to: usize = <usize>load<u32>(a, 4) + (<usize>first << 2);
  const word0 = load<i32>(key);
  const word1 = load<i32>(key, 4);
  const key0 = i32x4.splat(word0);
  const key1 = i32x4.splat(word1);
  const key2 = i32x4.splat(word0 ^ word1 ^ 0x1bd11bda);
  const key2and1 = i32x4.add(key2, i32x4.splat(1));
  const key0and2 = i32x4.add(key0, i32x4.splat(2));
  const key1and3 = i32x4.add(key1, i32x4.splat(3));
  const key2and4 = i32x4.add(key2, i32x4.splat(4));
  const key0and5 = i32x4.add(key0, i32x4.splat(5));
  for (let i = 0; i < count; i += 8) {
    let x = i32x4.add(i32x4.splat((first + i) >> 1), i32x4.add(i32x4(0, 1, 2, 3), key0));
    let y = key1;
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 13), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 15), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 26), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 6), x);
    x = i32x4.add(x, key1);
    y = i32x4.add(y, key2and1);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 17), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 29), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 16), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 24), x);
    x = i32x4.add(x, key2);
    y = i32x4.add(y, key0and2);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 13), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 15), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 26), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 6), x);
    x = i32x4.add(x, key0);
    y = i32x4.add(y, key1and3);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 17), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 29), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 16), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 24), x);
    x = i32x4.add(x, key1);
    y = i32x4.add(y, key2and4);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 13), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 15), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 26), x);
    x = i32x4.add(x, y);
    y = v128.xor(turn(y, 6), x);
    x = i32x4.add(x, key2);
    y = i32x4.add(y, key0and5);
    const low = i32x4.shr_u(v128.shuffle<i32>(x, y, 0, 4, 1, 5), 8);
    const high = i32x4.shr_u(v128.shuffle<i32>(x, y, 2, 6, 3, 7), 8);
    const at = to + (<usize>i << 2);
    storeLanes(at, low, count - i);
    if (count - i > 4) storeLanes(at + 16, high, count - i - 4);
  }
}
