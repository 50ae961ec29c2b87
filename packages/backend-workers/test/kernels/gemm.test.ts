import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { planMatmul, planMatmulPacked, type BatchAxis } from '../../src/kernels/gemm.ts';
import { panelBytes, planPackMatrix } from '../../src/kernels/pack.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { random } from './random.ts';

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Axes, and which factors repeat along them. */
  readonly batch?: readonly { size: number; a: boolean; b: boolean }[];
  readonly bias?: boolean;
  readonly addend?: boolean;
  readonly clamp?: readonly [number, number];
}

function strides(batch: NonNullable<Case['batch']>, a: number, b: number): BatchAxis[] {
  const axes: BatchAxis[] = [];
  for (const axis of batch.toReversed()) {
    axes.unshift({ size: axis.size, a: axis.a ? a : 0, b: axis.b ? b : 0 });
    if (axis.a) a *= axis.size;
    if (axis.b) b *= axis.size;
  }
  return axes;
}

function offsetsOf(axes: readonly BatchAxis[]): [number, number][] {
  let offsets: [number, number][] = [[0, 0]];
  for (const axis of axes) {
    offsets = offsets.flatMap(([a, b]) =>
      Array.from({ length: axis.size }, (_, i): [number, number] => [
        a + i * axis.a,
        b + i * axis.b,
      ]),
    );
  }
  return offsets;
}

interface Harnessed {
  readonly threads?: number;
  readonly order?: KernelHarness['order'];
  readonly packed?: boolean;
  readonly tileRows?: 4 | 6;
}

interface Outcome {
  readonly result: Float32Array;
  /** The largest error against float64 sums, in units of what is allowed. */
  readonly deviation: number;
}

/** Runs a case, and throws where anything was written outside the result. */
function run(build: Build, one: Case, how: Harnessed = {}): Outcome {
  const {
    m,
    n,
    k,
    transposeA = false,
    transposeB = false,
    batch = [],
    clamp = [-Infinity, Infinity],
  } = one;
  const axes = strides(batch, m * k, k * n);
  const matrices = offsetsOf(axes);
  const harness = new KernelHarness({ build, threads: how.threads ?? 2, megabytes: 32 });
  harness.order = how.order ?? 'ascending';
  if (how.tileRows) Object.assign(harness, { tileRows: how.tileRows });
  const r = random(m * 31 + n * 7 + k);
  const reach = (factor: 'a' | 'b', elements: number): number =>
    axes.reduce((sum, axis) => sum + (axis.size - 1) * axis[factor], elements);
  const a = r.floats(reach('a', m * k));
  const b = r.floats(reach('b', k * n));
  const bias = one.bias ? r.floats(n) : new Float32Array(n);
  const addend = one.addend
    ? r.floats(matrices.length * m * n)
    : new Float32Array(matrices.length * m * n);
  const bytes = matrices.length * m * n * 4;
  const y = harness.allocate(bytes);
  const plan = {
    a: harness.put(a),
    y,
    m,
    n,
    k,
    transposeA,
    batch: axes,
    bias: one.bias ? harness.put(bias) : 0,
    addend: one.addend ? harness.put(addend) : 0,
    clamp,
  };
  if (how.packed) {
    const packed = harness.allocate(panelBytes(k, n));
    planPackMatrix(harness, { b: harness.put(b), packed, k, n, transpose: transposeB });
    harness.expectUntouchedAround(packed, panelBytes(k, n));
    planMatmulPacked(harness, { ...plan, packed });
  } else {
    planMatmul(harness, { ...plan, b: harness.put(b), transposeB });
  }

  const result = harness.f32(y, bytes / 4).slice();
  let worst = 0;
  matrices.forEach(([fromA, fromB], matrix) => {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const at = (matrix * m + i) * n + j;
        let sum = bias[j]! + addend[at]!;
        for (let l = 0; l < k; l++) {
          const left = a[fromA + (transposeA ? l * m + i : i * k + l)]!;
          const right = b[fromB + (transposeB ? j * k + l : l * n + j)]!;
          sum += left * right;
        }
        const difference = Math.abs(result[at]! - Math.min(Math.max(sum, clamp[0]), clamp[1]));
        worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
      }
    }
  });
  // Factors lie in [-0.5, 0.5): a sum of k products has size sqrt(k) / 12.
  const allowed = 2e-7 * (3 + Math.sqrt(k));
  harness.expectUntouchedAround(y, bytes);
  return { result, deviation: worst / allowed };
}

const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });

describe.each<Build>(['fma', 'base'])('matrix products, build %s', (build) => {
  it('agree with float64 for any shape, transposition, bias, addend and clamp', () => {
    const one = fc.record({
      m: size(40),
      n: size(40),
      k: size(60),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
      bias: fc.boolean(),
      addend: fc.boolean(),
      clamp: fc.constantFrom<[number, number][]>([-Infinity, Infinity], [0, Infinity], [0, 0.1]),
      batch: fc.array(fc.record({ size: size(3), a: fc.boolean(), b: fc.boolean() }), {
        maxLength: 3,
      }),
    });
    fc.assert(
      fc.property(one, (value) => {
        expect(run(build, value).deviation).toBeLessThan(1);
      }),
      { numRuns: 120 },
    );
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 11, 12, 13])('take %i rows', (m) => {
    expect(run(build, { m, n: 19, k: 9 }).deviation).toBeLessThan(1);
  });

  it('sum long inner axes in blocks', () => {
    expect(
      run(build, { m: 13, n: 21, k: 2500, bias: true, addend: true, clamp: [-1, 1] }).deviation,
    ).toBeLessThan(1);
    expect(
      run(build, { m: 20, n: 150, k: 1025, transposeB: true, clamp: [0, 6] }).deviation,
    ).toBeLessThan(1);
  });

  it('take a factor packed beforehand', () => {
    for (const transposeB of [false, true]) {
      expect(
        run(build, { m: 7, n: 10, k: 84, transposeB, bias: true }, { packed: true }).deviation,
      ).toBeLessThan(1);
      expect(
        run(build, { m: 3, n: 10, k: 5, transposeA: true, transposeB }, { packed: true }).deviation,
      ).toBeLessThan(1);
      expect(
        run(
          build,
          { m: 2, n: 9, k: 5, transposeB, batch: [{ size: 3, a: true, b: false }] },
          { packed: true },
        ).deviation,
      ).toBeLessThan(1);
    }
  });

  it('give bias and addend alone where the inner axis is empty', () => {
    expect(run(build, { m: 5, n: 11, k: 0, bias: true, addend: true }).deviation).toBeLessThan(1);
    expect(run(build, { m: 20, n: 3, k: 0 }).deviation).toBeLessThan(1);
  });

  it('are the same to the last bit for any number of threads, order of chunks and height of tiles', () => {
    for (const one of [
      { m: 300, n: 70, k: 600 },
      { m: 50, n: 260, k: 700, bias: true },
      { m: 90, n: 90, k: 90, batch: [{ size: 5, a: true, b: true }] },
    ]) {
      const first = run(build, one, { threads: 1 }).result;
      for (const how of [
        { threads: 2 },
        { threads: 4, order: 'descending' },
        { threads: 7, tileRows: 4 },
        { tileRows: 6 },
      ] as const) {
        expect(run(build, one, how).result).toEqual(first);
      }
    }
  });

  it('let NaN through the clamp', () => {
    const harness = new KernelHarness({ build, megabytes: 8 });
    const y = harness.allocate(4 * 9);
    const a = harness.put(new Float32Array([NaN]));
    const b = harness.put(new Float32Array(9).fill(1));
    planMatmul(harness, { a, b, y, m: 1, n: 9, k: 1, clamp: [0, 6] });
    expect([...harness.f32(y, 9)]).toEqual(Array(9).fill(NaN));
  });
});

it('small products are one command, or two with a transposed factor', () => {
  const harness = new KernelHarness({ megabytes: 8 });
  const zeros = harness.put(new Float32Array(64 * 84));
  planMatmul(harness, { a: zeros, b: zeros, y: harness.allocate(8 * 40), m: 8, n: 10, k: 84 });
  expect(harness.emitted).toEqual([{ kernel: 'gemm', chunks: 1 }]);
  planMatmul(harness, {
    a: zeros,
    b: zeros,
    y: harness.allocate(2560),
    m: 64,
    n: 10,
    k: 84,
    transposeB: true,
  });
  expect(harness.emitted.slice(1)).toEqual([
    { kernel: 'packPanels', chunks: 1 },
    { kernel: 'gemm', chunks: 1 },
  ]);
});
