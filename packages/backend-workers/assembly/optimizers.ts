// Steps of optimisers over lists of parameters laid end to end, each rounded up to 16 elements. The last lanes of a
// parameter that is no whole number of vectors are computed like all others and not stored.

import { storeLanes } from './lanes';
import { madd } from './simd';

// @kernel
// Arguments: elements in all, elements per chunk (a multiple of 16), addresses of the learning rate and of the momentum (or
// 0), 1 - dampening, whether Nesterov, weight decay; then for each parameter its end on the line, its length, addresses of
// parameter, gradient, velocity (or 0), and where parameter and velocity go.
export function sgdStep(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 4);
  let at = chunk * perChunk;
  const end = min(at + perChunk, load<i32>(a));
  const momentumAt: usize = load<u32>(a, 12);
  const lr = v128.load32_splat(<usize>load<u32>(a, 8));
  const momentum = momentumAt == 0 ? f32x4.splat(0) : v128.load32_splat(momentumAt);
  const share = f32x4.splat(load<f32>(a, 16));
  const nesterov = load<i32>(a, 20) != 0;
  const decay = load<f32>(a, 24);
  const decays = f32x4.splat(decay);
  let begin = 0;
  for (let entry = a + 28; at < end; entry += 28) {
    const until = load<i32>(entry);
    if (at < until) {
      const count = load<i32>(entry, 4);
      const stop = min(count, end - begin);
      const velocity: usize = load<u32>(entry, 16);
      for (let i = at - begin; i < stop; i += 4) {
        const offset = <usize>i << 2;
        const p = v128.load(<usize>load<u32>(entry, 8) + offset);
        let step = v128.load(<usize>load<u32>(entry, 12) + offset);
        // No decay leaves an infinite parameter out of it: 0 times infinity is NaN.
        if (decay != 0) step = madd(p, decays, step);
        if (velocity != 0) {
          const moved = madd(v128.load(velocity + offset), momentum, f32x4.mul(step, share));
          step = nesterov ? madd(moved, momentum, step) : moved;
          storeLanes(<usize>load<u32>(entry, 24) + offset, moved, count - i);
        }
        const result = f32x4.sub(p, f32x4.mul(step, lr));
        storeLanes(<usize>load<u32>(entry, 20) + offset, result, count - i);
      }
      at = until;
    }
    begin = until;
  }
}

// @kernel
// Arguments: elements in all, elements per chunk (a multiple of 16), addresses of lr, stepSize, root and beta1, then beta2,
// 1 - beta2, epsilon, weight decay, whether decoupled; then for each parameter its end on the line, its length, addresses of
// parameter, gradient, m, v, and where parameter, m and v go.
export function adamStep(a: usize, chunk: i32): void {
  const perChunk = load<i32>(a, 4);
  let at = chunk * perChunk;
  const end = min(at + perChunk, load<i32>(a));
  const lr = load<f32>(<usize>load<u32>(a, 8));
  const stepSize = v128.load32_splat(<usize>load<u32>(a, 12));
  const root = v128.load32_splat(<usize>load<u32>(a, 16));
  const beta1 = v128.load32_splat(<usize>load<u32>(a, 20));
  const share1 = f32x4.sub(f32x4.splat(1), beta1);
  const beta2 = f32x4.splat(load<f32>(a, 24));
  const share2 = f32x4.splat(load<f32>(a, 28));
  const epsilon = f32x4.splat(load<f32>(a, 32));
  const decay = load<f32>(a, 36);
  const decoupled = decay != 0 && load<i32>(a, 40) != 0;
  const joined = decay != 0 && !decoupled;
  const decays = f32x4.splat(decay);
  const shrink = f32x4.splat(1 - lr * decay);
  let begin = 0;
  for (let entry = a + 44; at < end; entry += 36) {
    const until = load<i32>(entry);
    if (at < until) {
      const count = load<i32>(entry, 4);
      const stop = min(count, end - begin);
      for (let i = at - begin; i < stop; i += 4) {
        const offset = <usize>i << 2;
        let p = v128.load(<usize>load<u32>(entry, 8) + offset);
        let g = v128.load(<usize>load<u32>(entry, 12) + offset);
        if (joined) g = madd(p, decays, g);
        const m = v128.load(<usize>load<u32>(entry, 16) + offset);
        const v = v128.load(<usize>load<u32>(entry, 20) + offset);
        const mean = madd(m, beta1, f32x4.mul(g, share1));
        const energy = madd(v, beta2, f32x4.mul(f32x4.mul(g, share2), g));
        const scale = f32x4.add(f32x4.div(f32x4.sqrt(energy), root), epsilon);
        if (decoupled) p = f32x4.mul(p, shrink);
        p = f32x4.sub(p, f32x4.mul(f32x4.div(mean, scale), stepSize));
        storeLanes(<usize>load<u32>(entry, 24) + offset, p, count - i);
        storeLanes(<usize>load<u32>(entry, 28) + offset, mean, count - i);
        storeLanes(<usize>load<u32>(entry, 32) + offset, energy, count - i);
      }
      at = until;
    }
    begin = until;
  }
}
