// The error function in float64, to 1e-11 of its value on both tails.

/**
 * 1 - erf(z), small and exact for large z. For z >= 0 and t = 2 / (2 + z), u = 2t - 1, ln(erfc(z) / t) + z^2 is a polynomial
 * in u: a Chebyshev fit of degree 17, computed with 60 digits and written out in powers. Even and odd powers are summed
 * apart, so that neither waits for the other.
 */
export function erfc(z: number): number {
  const a = Math.abs(z);
  const t = 2 / (2 + a);
  const u = 2 * t - 1;
  const v = u * u;
  let even = 3.161060508308448e-6;
  even = even * v - 2.0765497203224717e-5;
  even = even * v + 6.234278989024759e-5;
  even = even * v - 8.858314561340327e-5;
  even = even * v - 0.0001479846640664972;
  even = even * v + 0.001759264918686807;
  even = even * v - 0.009872721153549173;
  even = even * v + 0.04734330801948756;
  even = even * v - 0.6717940840638893;
  let odd = 1.5689567981005141e-7;
  odd = odd * v - 4.391956802844236e-6;
  odd = odd * v + 3.5859295690059274e-5;
  odd = odd * v - 0.00017667132128889392;
  odd = odd * v + 0.0006745333893360199;
  odd = odd * v - 0.002345997750661303;
  odd = odd * v + 0.00882496063139573;
  odd = odd * v - 0.04689561143899856;
  odd = odd * v + 0.6726432239971838;
  const tail = t * Math.exp(even + u * odd - a * a);
  return z < 0 ? 2 - tail : tail;
}

/** Near 0, where 1 - erfc(x) would cancel, the series 2 / sqrt(pi) * sum of (-1)^n x^(2n+1) / (n! (2n + 1)). */
export function erf(x: number): number {
  if (!(Math.abs(x) < 0.5)) return x < 0 ? erfc(-x) - 1 : 1 - erfc(x);
  const s = x * x;
  const sum =
    1 - s * (1 / 3 - s * (1 / 10 - s * (1 / 42 - s * (1 / 216 - s * (1 / 1320 - s / 9360)))));
  return (2 / Math.sqrt(Math.PI)) * x * sum;
}
