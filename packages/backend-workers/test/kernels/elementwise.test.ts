import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  planBinary,
  planSelect,
  planUnary,
  type BinaryOp,
  type UnaryOp,
  type UnaryPlan,
} from '../../src/kernels/elementwise.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { broadcasts, bytes, floats, walk, wholes } from './broadcasts.ts';
import { erf, normalTail } from './error-function.ts';
import { bitMismatch, exactly, mismatch } from './mismatch.ts';

type Formula = (x: number) => number;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const elu = (x: number, alpha: number): number => (x > 0 ? x : alpha * Math.expm1(x));

function round(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

const unaryCases: readonly [UnaryOp, Formula, object?][] = [
  ['neg', (x) => -x],
  ['abs', Math.abs],
  ['sign', Math.sign],
  ['exp', Math.exp],
  ['log', Math.log],
  ['log1p', Math.log1p],
  ['sqrt', Math.sqrt],
  ['sin', Math.sin],
  ['cos', Math.cos],
  ['tanh', Math.tanh],
  ['erf', erf],
  ['floor', Math.floor],
  ['round', round],
  ['rsqrt', (x) => 1 / Math.sqrt(x)],
  ['square', (x) => x * x],
  ['reciprocal', (x) => 1 / x],
  ['sigmoid', sigmoid],
  ['logSigmoid', (x) => -softplus(-x)],
  ['relu', (x) => Math.max(x, 0)],
  ['clamp', (x) => Math.min(Math.max(x, -0.5), 1.25), { min: -0.5, max: 1.25 }],
  ['leakyRelu', (x) => (x > 0 ? x : 0.125 * x), { negativeSlope: 0.125 }],
  ['elu', (x) => elu(x, 1.25), { alpha: 1.25 }],
  ['selu', (x) => 1.0507009873554805 * elu(x, 1.6732632423543772)],
  ['silu', (x) => x * sigmoid(x)],
  ['mish', (x) => x * Math.tanh(softplus(x))],
  ['softplus', softplus],
  ['softsign', (x) => x / (1 + Math.abs(x))],
  ['hardswish', (x) => (x < -3 ? x - x : x < 3 ? (x * (x + 3)) / 6 : x)],
  ['hardsigmoid', (x) => Math.min(Math.max(x + 3, 0), 6) / 6],
  ['gelu', (x) => x * (x < 0 ? normalTail(-x) : 1 - normalTail(x)), { approximate: 'none' }],
  [
    'gelu',
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    { approximate: 'tanh' },
  ],
  ['scaledTanh', (x) => 1.7159 * Math.tanh((2 / 3) * x), { amplitude: 1.7159, slope: 2 / 3 }],
];

const wholeCases: readonly [UnaryOp, Formula, object?][] = [
  ['neg', (x) => -x],
  ['abs', Math.abs],
  ['sign', Math.sign],
  ['square', (x) => Math.imul(x, x)],
  ['relu', (x) => Math.max(x, 0)],
  ['clamp', (x) => Math.min(Math.max(x, -2), 3), { min: -2.5, max: 3.75 }],
  ['clamp', (x) => Math.max(x, -2), { min: -2, max: Infinity }],
];

const binaryCases: readonly [BinaryOp, (a: number, b: number) => number][] = [
  ['add', (a, b) => a + b],
  ['sub', (a, b) => a - b],
  ['mul', (a, b) => a * b],
  ['div', (a, b) => a / b],
  ['pow', (a, b) => a ** b],
  ['minimum', Math.min],
  ['maximum', Math.max],
];

/** Relative to the value, or to 2^-20 where it is smaller. */
function within(relative: number): (value: number) => number {
  return (value) => relative * Math.max(Math.abs(value), 2 ** -20);
}

function unary(
  harness: KernelHarness,
  plan: Pick<UnaryPlan, 'op' | 'dtype'> & { attributes: object },
  x: Float32Array | Int32Array,
  inPlace = false,
): number {
  const from = harness.put(x);
  const y = inPlace ? from : harness.allocate(x.byteLength);
  planUnary(harness, { ...plan, x: from, y, count: x.length } as UnaryPlan);
  harness.expectUntouchedAround(y, x.byteLength);
  return y;
}

describe.each<Build>(['fma', 'base'])('build %s', (build) => {
  it.each(unaryCases)('%s follows its formula', (op, formula, attributes = {}) => {
    const harness = new KernelHarness({ build, megabytes: 8 });
    for (const size of [1, 2, 3, 4, 5, 7, 1001]) {
      const x = floats(size, size);
      const y = unary(harness, { op, dtype: 'float32', attributes }, x);
      const wanted = Array.from(x, formula);
      expect(mismatch(harness.f32(y, size), wanted, within(1e-6))).toBeNull();
    }
  });

  it.each(wholeCases)('%s of whole numbers follows its formula', (op, formula, attributes = {}) => {
    const harness = new KernelHarness({ build, megabytes: 8 });
    const x = wholes(1, 1003);
    const y = unary(harness, { op, dtype: 'int32', attributes }, x);
    const wanted = x.map(formula);
    expect(harness.i32(y, x.length)).toEqual(wanted);
  });

  it.each(unaryCases)(
    '%s gives the same bits wherever an element lies',
    (op, _, attributes = {}) => {
      const harness = new KernelHarness({ build, megabytes: 8 });
      const x = floats(3, 64, 0.05);
      x[11] = 3e9;
      const plan = { op, dtype: 'float32', attributes } as const;
      const whole = harness.i32(unary(harness, plan, x), 64).slice();
      for (let from = 0; from < 64; from += 3) {
        const part = unary(harness, plan, x.slice(from), true);
        expect(bitMismatch(harness.i32(part, 64 - from), whole.slice(from))).toBeNull();
      }
    },
  );

  it('gives the same bits for every number of threads and order of chunks', () => {
    const x = floats(5, 300_001);
    const results = [1, 2, 4].map((threads) => {
      const harness = new KernelHarness({ build, threads, megabytes: 16 });
      harness.order = threads === 2 ? 'descending' : 'ascending';
      const y = unary(harness, { op: 'silu', dtype: 'float32', attributes: {} }, x, true);
      expect(harness.emitted[0]!.chunks).toBeGreaterThanOrEqual(threads);
      return harness.i32(y, x.length).slice();
    });
    expect(bitMismatch(results[1]!, results[0]!)).toBeNull();
    expect(bitMismatch(results[2]!, results[0]!)).toBeNull();
  });

  it('keeps small tensors in one chunk', () => {
    const harness = new KernelHarness({ build, threads: 8, megabytes: 8 });
    unary(harness, { op: 'exp', dtype: 'float32', attributes: {} }, floats(1, 4096));
    expect(harness.emitted).toEqual([{ kernel: 'unaryExp', chunks: 1 }]);
  });

  it.each(binaryCases)('%s broadcasts float32', (op, formula) => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(broadcasts(2), (drawn) => {
        const data = drawn.inputs.map(({ size }, i) => floats(drawn.seed + i, size));
        const wanted = [...walk(drawn)].map(([p, q]) => formula(data[0]![p!]!, data[1]![q!]!));
        const [a, b] = drawn.inputs.map(({ strides }, i) => ({
          address: harness.put(data[i]!),
          strides,
        }));
        const y = harness.allocate(wanted.length * 4);
        planBinary(harness, { op, dtype: 'float32', shape: drawn.shape, a: a!, b: b!, y });
        harness.expectUntouchedAround(y, wanted.length * 4);
        expect(
          mismatch(harness.f32(y, wanted.length), wanted, within(op === 'pow' ? 7.2e-8 : 6e-8)),
        ).toBeNull();
      }),
      { numRuns: 40 },
    );
  });

  it.each(binaryCases.filter(([op]) => op !== 'div' && op !== 'pow'))(
    '%s broadcasts int32, wrapping',
    (op, formula) => {
      const exact = op === 'mul' ? Math.imul : formula;
      const harness = new KernelHarness({ build });
      fc.assert(
        fc.property(broadcasts(2), (drawn) => {
          const data = drawn.inputs.map(({ size }, i) => wholes(drawn.seed + i, size));
          const wanted = Int32Array.from([...walk(drawn)], ([p, q]) =>
            exact(data[0]![p!]!, data[1]![q!]!),
          );
          const [a, b] = drawn.inputs.map(({ strides }, i) => ({
            address: harness.put(data[i]!),
            strides,
          }));
          const y = harness.allocate(wanted.byteLength);
          planBinary(harness, { op, dtype: 'int32', shape: drawn.shape, a: a!, b: b!, y });
          harness.expectUntouchedAround(y, wanted.byteLength);
          expect(bitMismatch(harness.i32(y, wanted.length), wanted)).toBeNull();
        }),
        { numRuns: 15 },
      );
    },
  );

  it('adds long lines, gathered and repeated ones too, whatever the chunks', () => {
    const [rows, columns] = [70, 3001];
    const x = floats(1, rows * columns);
    const line = floats(2, columns);
    const column = floats(3, rows);
    const turned = floats(4, rows * columns);
    const others = [
      { data: line, strides: [0, 1] },
      { data: column, strides: [1, 0] },
      { data: turned, strides: [1, rows] },
    ];
    for (const { data, strides } of others) {
      const wanted = Array.from(x, (value, i) => {
        const [row, at] = [Math.floor(i / columns), i % columns];
        return value + data[row * strides[0]! + at * strides[1]!]!;
      });
      for (const threads of [1, 3]) {
        const harness = new KernelHarness({ build, threads, megabytes: 16 });
        harness.order = threads === 3 ? 'descending' : 'ascending';
        const a = { address: harness.put(x), strides: [columns, 1] };
        const b = { address: harness.put(data), strides };
        // In place of a.
        planBinary(harness, {
          op: 'add',
          dtype: 'float32',
          shape: [rows, columns],
          a,
          b,
          y: a.address,
        });
        expect(mismatch(harness.f32(a.address, x.length), wanted, within(6e-8))).toBeNull();
      }
    }
  });

  it('raises ones, zeros and negative numbers as Math.pow does', () => {
    const harness = new KernelHarness({ build, megabytes: 8 });
    const bases = [
      0,
      -0,
      1,
      -1,
      2,
      -2,
      0.5,
      1e-20,
      1e20,
      1e-44,
      NaN,
      Infinity,
      -Infinity,
      1.00001,
      0.7,
      -1.5,
    ];
    const powers = [
      0,
      -0,
      1,
      -1,
      2,
      -3,
      0.5,
      -0.5,
      100,
      -101,
      127.5,
      NaN,
      Infinity,
      -Infinity,
      1e9,
      4e6,
    ];
    const wanted = bases.flatMap((a) => powers.map((b) => Math.fround(a) ** Math.fround(b)));
    const y = harness.allocate(wanted.length * 4);
    planBinary(harness, {
      op: 'pow',
      dtype: 'float32',
      shape: [bases.length, powers.length],
      y,
      a: { address: harness.put(Float32Array.from(bases)), strides: [1, 0] },
      b: { address: harness.put(Float32Array.from(powers)), strides: [0, 1] },
    });
    expect(mismatch(harness.f32(y, wanted.length), wanted, within(7.2e-8))).toBeNull();
  });

  it.each(['float32', 'int32', 'uint8', 'bool'] as const)('selects %s, broadcast', (dtype) => {
    const harness = new KernelHarness({ build });
    fc.assert(
      fc.property(broadcasts(3), (drawn) => {
        const wide = dtype === 'float32' || dtype === 'int32';
        const data = drawn.inputs.map(({ size }, i) => {
          if (i === 0) return bytes(drawn.seed, size, 2);
          return wide ? floats(drawn.seed + i, size) : bytes(drawn.seed + i, size, 256);
        });
        const pick = [...walk(drawn)].map(([c, p, q]) => {
          return data[0]![c!] ? data[1]![p!]! : data[2]![q!]!;
        });
        const [condition, a, b] = drawn.inputs.map(({ strides }, i) => ({
          address: harness.put(data[i]!),
          strides,
        }));
        const size = pick.length * (wide ? 4 : 1);
        const y = harness.allocate(size);
        planSelect(harness, {
          dtype,
          shape: drawn.shape,
          y,
          condition: condition!,
          a: a!,
          b: b!,
        });
        harness.expectUntouchedAround(y, size);
        const result = wide ? harness.f32(y, pick.length) : harness.u8(y, pick.length);
        expect(mismatch(result, pick, exactly)).toBeNull();
      }),
      { numRuns: 20 },
    );
  });
});
