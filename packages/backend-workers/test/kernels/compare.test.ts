import type { Dtype } from '@convoke/backend-api';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { planCast, planCompare, type CompareOp } from '../../src/kernels/compare.ts';
import { KernelHarness, type Build } from '../kernel-harness.ts';
import { broadcasts, bytes, floats, walk, wholes } from './broadcasts.ts';
import { bitMismatch, exactly, mismatch } from './mismatch.ts';

const formulas: Readonly<Record<CompareOp, (a: number, b: number) => boolean>> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};
const ops = Object.keys(formulas) as CompareOp[];
const dtypes: readonly Dtype[] = ['float32', 'int32', 'uint8', 'bool'];

function draw(dtype: Dtype, seed: number, size: number): Float32Array | Int32Array | Uint8Array {
  if (dtype === 'float32') return floats(seed, size);
  return dtype === 'int32' ? wholes(seed, size) : bytes(seed, size, dtype === 'bool' ? 2 : 256);
}

/** What a typed array keeps of `value` is what the dtype does. */
function stored(dtype: Dtype, values: readonly number[]): Float32Array | Int32Array | Uint8Array {
  if (dtype === 'float32') return Float32Array.from(values);
  if (dtype === 'int32') {
    const limit = (x: number): number => Math.max(-(2 ** 31), Math.min(x, 2 ** 31 - 1));
    return Int32Array.from(values, limit);
  }
  return Uint8Array.from(values, dtype === 'bool' ? (x) => Number(x !== 0) : (x) => x);
}

describe.each<Build>(['fma', 'base'])('build %s', (build) => {
  it.each(ops.flatMap((op) => dtypes.map((dtype) => [op, dtype] as const)))(
    '%s of %s broadcasts to 0 and 1',
    (op, dtype) => {
      const harness = new KernelHarness({ build });
      fc.assert(
        fc.property(broadcasts(2), (drawn) => {
          const data = drawn.inputs.map(({ size }, i) => draw(dtype, drawn.seed + i, size));
          const wanted = Uint8Array.from([...walk(drawn)], ([p, q]) =>
            Number(formulas[op](data[0]![p!]!, data[1]![q!]!)),
          );
          const [a, b] = drawn.inputs.map(({ strides }, i) => ({
            address: harness.put(data[i]!),
            strides,
          }));
          const y = harness.allocate(wanted.length);
          planCompare(harness, { op, dtype, shape: drawn.shape, a: a!, b: b!, y });
          harness.expectUntouchedAround(y, wanted.length);
          expect(bitMismatch(harness.u8(y, wanted.length), wanted)).toBeNull();
        }),
        { numRuns: 12 },
      );
    },
  );

  it.each(dtypes.flatMap((from) => dtypes.map((to) => [from, to] as const)))(
    'casts %s to %s',
    (from, to) => {
      const harness = new KernelHarness({ build, megabytes: 8 });
      for (const size of [1, 2, 3, 4, 6, 15, 1002]) {
        const x = draw(from, size, size);
        // Infinities have no byte: what is stored is left open.
        if (from === 'float32' && to === 'uint8')
          x.set(x.map((value) => (Math.abs(value) < 9 ? value : 0)));
        const wanted = stored(to, [...x]);
        const y = harness.allocate(wanted.byteLength);
        planCast(harness, { from, to, x: harness.put(x), y, count: size });
        harness.expectUntouchedAround(y, wanted.byteLength);
        const result =
          to === 'float32'
            ? harness.f32(y, size)
            : to === 'int32'
              ? harness.i32(y, size)
              : harness.u8(y, size);
        expect(mismatch(result, wanted, exactly)).toBeNull();
      }
    },
  );

  it('compares long arrays in many chunks as in one', () => {
    const [a, b] = [floats(1, 400_003), floats(2, 400_003)];
    const wanted = Uint8Array.from(a, (value, i) => Number(value < b[i]!));
    const harness = new KernelHarness({ build, threads: 4, megabytes: 16 });
    harness.order = 'descending';
    const y = harness.allocate(a.length);
    planCompare(harness, {
      op: 'greater',
      dtype: 'float32',
      shape: [a.length],
      y,
      a: { address: harness.put(b), strides: [1] },
      b: { address: harness.put(a), strides: [1] },
    });
    expect(harness.emitted[0]!.chunks).toBeGreaterThan(4);
    harness.expectUntouchedAround(y, a.length);
    expect(bitMismatch(harness.u8(y, a.length), wanted)).toBeNull();
  });
});
