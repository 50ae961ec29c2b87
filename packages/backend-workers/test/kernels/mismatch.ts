// Comparisons of whole arrays, with a result that says in words which element is at fault: null where none is.

type Values = Float32Array | Int32Array | Uint8Array;

/** Whether every element of `y` is what `wanted` is in float32, or as near as `tolerance` says. */
export function mismatch(
  y: Values,
  wanted: ArrayLike<number>,
  tolerance: (value: number) => number,
): string | null {
  if (y.length !== wanted.length) return `${y.length} elements, not ${wanted.length}`;
  const at = y.findIndex((value, i) => {
    const exact = wanted[i]!;
    if (Object.is(value, exact) || value === Math.fround(exact)) return false;
    return !(Math.abs(value - exact) <= tolerance(Math.fround(exact)));
  });
  return at < 0 ? null : `element ${at} is ${y[at]}, not ${wanted[at]}`;
}

export function exactly(): number {
  return 0;
}

/** Whether all bits are the same. */
export function bitMismatch(y: Values, wanted: Values): string | null {
  const [a, b] = [y, wanted].map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  ) as [Buffer, Buffer];
  if (a.equals(b)) return null;
  const at = y.findIndex((value, i) => !Object.is(value, wanted[i]));
  return `element ${at} is ${y[at]}, not ${wanted[at]}`;
}
