import { describe, expect, test } from 'vitest';

import { erf, erfc } from '../../src/kernels/erf.ts';

/** All terms of one sign, so that nothing cancels: e^(-x^2) 2/sqrt(pi) (x + 2x^3/3 + 4x^5/15 + ...). */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** The continued fraction of the tail, x > 2: e^(-x^2) / sqrt(pi) / (x + 1/2 / (x + 2/2 / (x + 3/2 / ...))). */
function fraction(x: number): number {
  let below = x;
  for (let n = 120; n >= 1; n--) below = x + n / 2 / below;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / below;
}

describe('erf', () => {
  test('agrees with its series to 1e-9 of its value', () => {
    for (let x = -5; x <= 5; x += 0.01) {
      expect(Math.abs(erf(x) - series(x))).toBeLessThanOrEqual(1e-9 * Math.abs(series(x)));
    }
  });

  test('is odd, and 1 far out', () => {
    expect(erf(0)).toBe(0);
    for (const x of [0.1, 0.49, 0.5, 3]) expect(erf(-x)).toBe(-erf(x));
    expect(erf(Infinity)).toBe(1);
    expect(erf(-Infinity)).toBe(-1);
    expect(erf(40)).toBe(1);
    expect(erf(NaN)).toBeNaN();
  });
});

describe('erfc', () => {
  test('keeps its relative accuracy on the tail, where 1 - erf has none', () => {
    for (let x = 2.2; x <= 26; x += 0.1) {
      expect(Math.abs(erfc(x) / fraction(x) - 1)).toBeLessThan(1e-9);
    }
  });

  test('is 2 less its mirror image', () => {
    for (const x of [0.3, 1, 4]) expect(erfc(-x)).toBe(2 - erfc(x));
    expect(erfc(0)).toBeCloseTo(1, 10);
    expect(erfc(Infinity)).toBe(0);
    expect(erfc(-Infinity)).toBe(2);
    expect(erfc(NaN)).toBeNaN();
  });
});
