// Elementwise functions, softmax and normalisation in float64.

/** x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): the form that every contender can compute. */
export function gelu(x: Float32Array): Float64Array {
  return Float64Array.from(
    x,
    (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  );
}

/** Along rows of `columns` elements. */
export function softmax(x: Float32Array, columns: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let start = 0; start < x.length; start += columns) {
    const row = Array.from(x.subarray(start, start + columns), (v) => Math.exp(v));
    const sum = row.reduce((a, b) => a + b, 0);
    row.forEach((power, i) => (y[start + i] = power / sum));
  }
  return y;
}

/** With given statistics, epsilon 1e-5; x is [N, C, H, W]. */
export function batchNorm(
  inputs: ReadonlyMap<string, Float32Array>,
  [, channels, height, width]: readonly [number, number, number, number],
): Float64Array {
  const of = (name: string, c: number): number => inputs.get(name)![c]!;
  return Float64Array.from(inputs.get('x')!, (value, i) => {
    const c = Math.floor(i / (height * width)) % channels;
    return (
      ((value - of('mean', c)) / Math.sqrt(of('variance', c) + 1e-5)) * of('weight', c) +
      of('bias', c)
    );
  });
}
