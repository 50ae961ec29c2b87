// The few comparisons that the checks make, without a test runner's.

/** Throws an Error that names both, where they differ as JSON. */
export function expectSame(what: string, actual: unknown, expected: unknown): void {
  const [given, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (given === wanted) return;
  throw new Error(`${what}: expected ${shortened(wanted)}, got ${shortened(given)}`);
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

/** Throws an Error that names the first element whose bits differ. */
export function expectSameBits(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): void {
  expectSame(`${what}, elements`, actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(actual[i], expected[i]))
      throw new Error(`${what}: element ${i} is ${actual[i]}, expected ${expected[i]}`);
  }
}
