// The values of generated tensors: a function of name and shape, the same wherever it is computed.

const FNV_PRIME = 0x01000193;

function seedOf(name: string): number {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, FNV_PRIME);
  return seed;
}

/** Uniform in [-1, 1). */
function unit(seed: number, index: number): number {
  let x = (Math.imul(index, 0x9e3779b9) + seed) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  x = (x ^ (x >>> 16)) >>> 0;
  return x / 2 ** 31 - 1;
}

/** The float32 values of a parameter or buffer of PyTorch's name `name`. */
export function generated(name: string, shape: readonly number[], gain: number): Float32Array {
  const seed = seedOf(name);
  const size = shape.reduce((product, length) => product * length, 1);
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  const bound = gain * Math.sqrt(3 / (size / (shape[0] ?? 1)));
  const valueOf = (u: number): number => {
    if (leaf === 'running_var') return 1 + 0.2 * Math.abs(u);
    if (leaf === 'weight') return shape.length >= 2 ? u * bound : 1 + 0.1 * u;
    return 0.1 * u;
  };
  return Float32Array.from({ length: size }, (_, i) => valueOf(unit(seed, i)));
}
