// Comparisons of long arrays: closeness of float32 results to a reference in doubles, and equality.

import { expect } from 'vitest';

/**
 * Fails unless each element is within `tolerance` times a scale of the reference: the reference's largest finite magnitude,
 * or `least`, about the size of what was added up, where that is larger. NaN and infinities must match.
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  least = 1e-30,
): void {
  expect(actual.length).toBe(expected.length);
  let scale = least;
  for (let i = 0; i < expected.length; i++) {
    if (Number.isFinite(expected[i])) scale = Math.max(scale, Math.abs(expected[i]!));
  }
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i]!, expected[i]!];
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= tolerance * scale)) {
      expect.fail(`element ${i} is ${a}; expected ${b} within ${tolerance} of ${scale}`);
    }
  }
}

/** Fails at the first element that differs; faster than toEqual on long arrays. */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i]) && actual[i] !== expected[i]) {
      expect.fail(`element ${i} is ${actual[i]}; expected ${expected[i]}`);
    }
  }
}
