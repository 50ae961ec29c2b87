// x over (k + alpha * energy)^beta, where the energy is the sum of squares over a window of channels.

import { storeLanes } from './lanes';
import { pow } from './math';
import { madd } from './simd';
import { scratch } from './thread';

/** base^beta, lane by lane; AlexNet's 3/4 and 1/2 and 1 by roots. */
function raise(base: v128, beta: f32): v128 {
  if (beta == 0.75) {
    const root = f32x4.sqrt(base);
    return f32x4.mul(root, f32x4.sqrt(root));
  }
  if (beta == 0.5) return f32x4.sqrt(base);
  if (beta == 1) return base;
  return pow(base, f32x4.splat(beta));
}

// @kernel
// Channels last. The squares of a row stand in scratch memory between zeros. Arguments: x, y, C, channels of the window before
// its own, channels of the window, alpha, beta, k, rows, rows per chunk.
export function responseNormRows(a: usize, chunk: i32): void {
  const C = load<i32>(a, 8);
  const before = load<i32>(a, 12);
  const size = load<i32>(a, 16);
  const alpha = f32x4.splat(load<f32>(a, 20));
  const beta = load<f32>(a, 24);
  const k = f32x4.splat(load<f32>(a, 28));
  const perChunk = load<i32>(a, 36);
  const first = chunk * perChunk;
  const end = min(first + perChunk, load<i32>(a, 32));
  const squares = scratch();
  const own = squares + (<usize>before << 2);
  const after = own + (<usize>C << 2);
  let offset = <usize>(first * C) << 2;
  for (let row = first; row < end; row++) {
    const x = <usize>load<u32>(a) + offset;
    const y = <usize>load<u32>(a, 4) + offset;
    memory.fill(squares, 0, before << 2);
    for (let c = 0; c < C; c += 4) {
      const value = v128.load(x + (<usize>c << 2));
      v128.store(own + (<usize>c << 2), f32x4.mul(value, value));
    }
    memory.fill(after, 0, (size + 4) << 2);
    for (let c = 0; c < C; c += 4) {
      let at = squares + (<usize>c << 2);
      let energy = v128.load(at);
      for (let i = 1; i < size; i++) {
        at += 4;
        energy = f32x4.add(energy, v128.load(at));
      }
      const value = v128.load(x + (<usize>c << 2));
      const result = f32x4.div(value, raise(madd(energy, alpha, k), beta));
      storeLanes(y + (<usize>c << 2), result, C - c);
    }
    offset += <usize>C << 2;
  }
}

// @kernel
// Planes. Arguments: 8 words of responseNormRows, units (strips of the planes of each outer index), units per chunk, elements
// of a plane, of a strip, strips.
export function responseNormPlanes(a: usize, chunk: i32): void {
  const C = load<i32>(a, 8);
  const before = load<i32>(a, 12);
  const size = load<i32>(a, 16);
  const alpha = f32x4.splat(load<f32>(a, 20));
  const beta = load<f32>(a, 24);
  const k = f32x4.splat(load<f32>(a, 28));
  const perChunk = load<i32>(a, 36);
  const inner = load<i32>(a, 40);
  const strip = load<i32>(a, 44);
  const strips = load<i32>(a, 48);
  const end = min((chunk + 1) * perChunk, load<i32>(a, 32));
  for (let unit = chunk * perChunk; unit < end; unit++) {
    const first = (unit % strips) * strip;
    const count = min(strip, inner - first);
    const start = <usize>((unit / strips) * C * inner + first) << 2;
    for (let c = 0; c < C; c++) {
      const near = max(0, c - before);
      const nearEnd = min(C, c - before + size);
      for (let i = 0; i < count; i += 4) {
        const column = <usize>load<u32>(a) + start + (<usize>i << 2);
        let energy = f32x4.splat(0);
        for (let one = near; one < nearEnd; one++) {
          const value = v128.load(column + (<usize>(one * inner) << 2));
          energy = f32x4.add(energy, f32x4.mul(value, value));
        }
        const offset = <usize>(c * inner) << 2;
        const result = f32x4.div(v128.load(column + offset), raise(madd(energy, alpha, k), beta));
        storeLanes(<usize>load<u32>(a, 4) + start + offset + (<usize>i << 2), result, count - i);
      }
    }
  }
}
