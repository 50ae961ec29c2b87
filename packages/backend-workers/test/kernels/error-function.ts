// The error function in float64: by its series near 0, by a continued fraction in the tails.

/** erf(x) = 2 / sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...): all terms positive. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** erfc(x / sqrt(2)) / 2: what of the normal distribution lies above x. */
export function normalTail(x: number): number {
  if (x < 2) return 0.5 - erf(x * Math.SQRT1_2) / 2;
  // Laplace's continued fraction: x + 1 / (x + 2 / (x + 3 / ...)).
  let fraction = x;
  for (let n = 120; n > 0; n--) fraction = x + n / fraction;
  return Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI) / fraction;
}
