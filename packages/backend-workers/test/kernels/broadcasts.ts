// Random shapes whose inputs broadcast, lie transposed or both, and the plain walk over them that kernels are compared with.

import * as fc from 'fast-check';

interface Placement {
  readonly strides: readonly number[];
  /** Elements that the strides reach. */
  readonly size: number;
}

export interface Broadcast {
  readonly shape: readonly number[];
  readonly inputs: readonly Placement[];
  readonly seed: number;
}

/** An input of `shape`, repeated along the axes of `repeats`, stored with its axes in the order of `order`. */
function placed(
  shape: readonly number[],
  repeats: readonly boolean[],
  order: readonly number[],
): Placement {
  const strides = shape.map(() => 0);
  let size = 1;
  for (const axis of order.toReversed()) {
    if (axis >= shape.length || repeats[axis]) continue;
    strides[axis] = size;
    size *= shape[axis]!;
  }
  return { strides, size };
}

const axes = [0, 1, 2, 3, 4, 5];

export function broadcasts(count: number): fc.Arbitrary<Broadcast> {
  const repeats = fc.oneof(
    fc.constant(axes.map(() => false)),
    fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
  );
  const order = fc.oneof(
    { weight: 3, arbitrary: fc.constant(axes) },
    { weight: 1, arbitrary: fc.shuffledSubarray(axes, { minLength: 6 }) },
  );
  const input = fc.tuple(repeats, order);
  return fc
    .record({
      shape: fc.array(fc.integer({ min: 1, max: 11 }), { maxLength: 3 }),
      longer: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
      inputs: fc.array(input, { minLength: count, maxLength: count }),
      seed: fc.integer(),
    })
    .map(({ shape, longer, inputs, seed }) => {
      const whole = [...longer, ...shape];
      return { shape: whole, seed, inputs: inputs.map(([r, o]) => placed(whole, r, o)) };
    });
}

/** Offsets into every input, for each element of the output in C order. */
export function* walk({ shape, inputs }: Broadcast): Generator<number[]> {
  const count = shape.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < count; flat++) {
    const offsets = inputs.map(() => 0);
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const place = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
      for (const [i, { strides }] of inputs.entries()) offsets[i]! += place * strides[axis]!;
    }
    yield offsets;
  }
}

/** Numbers in [0, 1), the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) / 2 ** 32;
  };
}

const special = [NaN, Infinity, -Infinity, 0, -0, 1, -1];

/** Float32 between -4 and 4 in steps of 1/8, so that equal ones meet, with a few NaN and infinities among them. */
export function floats(seed: number, size: number, specials = 0.1): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: size }, () =>
    next() < specials
      ? special[Math.floor(next() * special.length)]!
      : Math.floor(next() * 64 - 32) / 8,
  );
}

/** Whole numbers, one in ten of any size. */
export function wholes(seed: number, size: number): Int32Array {
  const next = random(seed);
  return Int32Array.from({ length: size }, () =>
    next() < 0.1 ? Math.floor((next() - 0.5) * 2 ** 32) : Math.floor(next() * 16 - 8),
  );
}

export function bytes(seed: number, size: number, below: number): Uint8Array {
  const next = random(seed);
  return Uint8Array.from({ length: size }, () => Math.floor(next() * below));
}
