import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import * as ops from '../src/index.ts';
import { DataError, DtypeError, ShapeError, tensor, type Tensor } from '../src/index.ts';
import { mismatch, floats, scattered, useJs } from './lab.ts';

beforeAll(useJs);

const values = [-2.5, -1.5, -1, -0.5, 0, 1e-4, 0.5, 1, 1.5, 2.5, 3.25];
const positive = values.filter((value) => value > 0);

const bell = (t: number): number => Math.exp(-t * t);
/** The error function by integrating its definition with Simpson's rule. */
function erf(x: number): number {
  const n = 2000;
  let total = bell(0) + bell(x);
  for (let i = 1; i < n; i++) total += (i % 2 === 1 ? 4 : 2) * bell((i * x) / n);
  return (2 / Math.sqrt(Math.PI)) * (x / n / 3) * total;
}

const halfToEven = (x: number): number => {
  const near = Math.round(x);
  return Math.abs(x % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near;
};

describe('ops of one input', () => {
  it.each([
    ['neg', ops.neg, (x: number) => -x, values],
    ['abs', ops.abs, Math.abs, values],
    ['sign', ops.sign, Math.sign, values],
    ['exp', ops.exp, Math.exp, values],
    ['log', ops.log, Math.log, positive],
    ['log1p', ops.log1p, Math.log1p, [-0.5, 1e-6, ...positive]],
    ['sqrt', ops.sqrt, Math.sqrt, positive],
    ['rsqrt', ops.rsqrt, (x: number) => 1 / Math.sqrt(x), positive],
    ['square', ops.square, (x: number) => x * x, values],
    ['reciprocal', ops.reciprocal, (x: number) => 1 / x, positive],
    ['floor', ops.floor, Math.floor, values],
    ['round', ops.round, halfToEven, values],
    ['sin', ops.sin, Math.sin, values],
    ['cos', ops.cos, Math.cos, values],
    ['erf', ops.erf, erf, values],
  ] as const)('%s follows its definition', async (_, apply, definition, at) => {
    const exact = at.map(Math.fround);
    expect(
      await mismatch(apply(floats([at.length], at)), {
        shape: [at.length],
        data: exact.map((x) => definition(x)),
      }),
    ).toBeNull();
  });

  it('pass NaN and infinity as IEEE 754 says', async () => {
    const x = floats([3], [NaN, Infinity, -Infinity]);
    expect(await mismatch(ops.exp(x), { shape: [3], data: [NaN, Infinity, 0] })).toBeNull();
    expect(
      await mismatch(ops.log(floats([2], [0, -1])), { shape: [2], data: [-Infinity, NaN] }),
    ).toBeNull();
    expect(await mismatch(ops.maximum(x, 0), { shape: [3], data: [NaN, Infinity, 0] })).toBeNull();
  });

  it('name the dtype they do not take', () => {
    const x = tensor([1], { dtype: 'int32' });
    expect(() => ops.exp(x)).toThrow(DtypeError);
    expect(() => ops.exp(x)).toThrow(/^exp: .*int32 \[1\]; expected float32.*cast\(\)/);
  });
});

const binaries: [
  string,
  (a: ops.Operand, b: ops.Operand) => Tensor,
  (a: number, b: number) => number,
][] = [
  ['add', ops.add, (a, b) => a + b],
  ['sub', ops.sub, (a, b) => a - b],
  ['mul', ops.mul, (a, b) => a * b],
  ['div', ops.div, (a, b) => a / b],
  ['pow', ops.pow, (a, b) => a ** b],
  ['minimum', ops.minimum, Math.min],
  ['maximum', ops.maximum, Math.max],
];

/** `op` element by element, with both inputs read by NumPy's rules at each place of the result. */
function broadcast(
  shape: readonly number[],
  inputs: readonly { shape: readonly number[]; data: readonly number[] }[],
  op: (a: number, b: number) => number,
): number[] {
  const size = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: size }, (_, flat) => {
    const index: number[] = [];
    for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    const [a, b] = inputs.map((input) => {
      const lead = shape.length - input.shape.length;
      const at = input.shape.reduce(
        (sum, length, axis) => sum * length + (length === 1 ? 0 : index[axis + lead]!),
        0,
      );
      return input.data[at]!;
    });
    return op(a!, b!);
  });
}

describe('ops of two inputs', () => {
  it.each(binaries)('%s broadcasts by the rules of NumPy', async (_, apply, definition) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
        fc.infiniteStream(fc.boolean()),
        fc.nat({ max: 4 }),
        async (shape, flags, dropped) => {
          // Each input has some axes of the result squeezed to 1, and one lacks leading axes.
          const partOf = (): number[] => shape.map((n) => (flags.next().value ? 1 : n));
          const shapes = [partOf(), partOf().slice(Math.min(dropped, shape.length))];
          const result = shape.map((__, axis) => {
            const lengths = shapes.map((part) => part[axis - shape.length + part.length] ?? 1);
            return lengths.find((n) => n !== 1) ?? 1;
          });
          const inputs = shapes.map((part, i) => {
            const count = part.reduce((a, b) => a * b, 1);
            // Positive, so that every power is a number.
            return { shape: part, data: scattered(count, i + 3).map((v) => Math.fround(1.5 + v)) };
          });
          const [a, b] = inputs.map((input) => floats(input.shape, input.data)) as [Tensor, Tensor];
          expect(
            await mismatch(apply(a, b), {
              shape: result,
              data: broadcast(result, inputs, definition),
            }),
          ).toBeNull();
        },
      ),
      { numRuns: 25 },
    );
  });

  it.each(binaries)('%s takes a number on either side', async (_, apply, f) => {
    const x = floats([3], [0.5, 1, 2]);
    const data = [0.5, 1, 2];
    expect(
      await mismatch(apply(x, 1.5), { shape: [3], data: data.map((v) => f(v, 1.5)) }),
    ).toBeNull();
    expect(
      await mismatch(apply(1.5, x), { shape: [3], data: data.map((v) => f(1.5, v)) }),
    ).toBeNull();
  });

  it('gives whole numbers for whole numbers', async () => {
    const x = tensor([5, -3], { dtype: 'int32' });
    expect(await ops.add(x, 2).data()).toEqual(Int32Array.of(7, -1));
    expect(await ops.maximum(x, 0).data()).toEqual(Int32Array.of(5, 0));
    expect(() => ops.mul(x, 0.5)).toThrow(DtypeError);
    expect(() => ops.mul(x, 0.5)).toThrow(/^mul: 0.5 is no int32 value; .*cast\(\)/);
    expect(() => ops.div(x, x)).toThrow(DtypeError);
  });

  it('name what does not fit', () => {
    const [a, b] = [floats([2, 3], 1), floats([2], 1)];
    expect(() => ops.add(a, b)).toThrow(ShapeError);
    expect(() => ops.add(a, b)).toThrow(/^add: shapes \[2, 3\] and \[2\] do not broadcast/);
    expect(() => ops.sub(a, tensor([1], { dtype: 'int32' }))).toThrow(/^sub: .*float32.*int32/);
    expect(() => ops.add(1, 2)).toThrow(DataError);
  });
});
