import { expect, test } from 'vitest';

import { buildOf, marks } from '../src/builds.ts';
import { hasRelaxedSimd } from '../src/probe.ts';

/** (a, b, c: f32) => f32: a mark of a product of a and b, then of its sum with c, each value in all lanes. */
function multiplyAdd(): Uint8Array {
  const F32 = 125;
  const splat = (local: number): number[] => [32, local, 253, 19];
  const firstLane = [253, 31, 0];
  const code = [0, ...splat(0), ...splat(1), ...marks.product];
  code.push(...splat(2), ...marks.sum, ...firstLane, 11);
  const type = [1, 8, 1, 96, 3, F32, F32, F32, 1, F32];
  const exported = [7, 5, 1, 1, 102, 0, 0];
  const body = [10, code.length + 2, 1, code.length, ...code];
  return Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, ...type, 3, 2, 1, 0, ...exported, ...body]);
}

function run(build: 'fma' | 'base', a: number, b: number, c: number): number {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(buildOf(multiplyAdd(), build)));
  return (instance.exports['f'] as (...values: number[]) => number)(a, b, c);
}

// The product's last bit is lost in float32, but not in float64: 1 + 2^-11 + 2^-24.
const a = 1 + 2 ** -12;
const twice = Math.fround(a * a) - 1;
const once = a * a - 1;

test('base rounds the product and the sum', () => {
  expect(twice).not.toBe(once);
  expect(run('base', a, a, -1)).toBe(twice);
});

test.runIf(hasRelaxedSimd())('fma rounds once where the machine can', () => {
  expect([once, twice]).toContain(run('fma', a, a, -1));
});

test('the compiled module is left as it was', () => {
  const module = multiplyAdd();
  buildOf(module, 'fma');
  expect(module).toEqual(multiplyAdd());
});
