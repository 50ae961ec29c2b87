// Random data for kernel tests, the same on every run.

export interface Random {
  /** In [-0.5, 0.5). */
  next(): number;
  floats(count: number): Float32Array;
}

/** Marsaglia's xorshift. */
export function random(seed: number): Random {
  let state = (seed | 0) ^ 0x9e3779b9 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 - 0.5;
  };
  return { next, floats: (count) => Float32Array.from({ length: count }, next) };
}
