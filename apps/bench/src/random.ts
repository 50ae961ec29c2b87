// Inputs of the benchmarks: the same on every machine and for every contender.

/** Uniform in [-scale, scale), from a linear congruential generator. */
export function uniform(length: number, seed: number, scale = 1): Float32Array {
  const values = new Float32Array(length);
  let state = (seed * 2654435761) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = scale * (state / 2 ** 31 - 1);
  }
  return values;
}
