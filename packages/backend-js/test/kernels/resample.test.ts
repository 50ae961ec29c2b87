import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Value } from '../../src/kernel.ts';
import {
  at,
  defined,
  distance,
  float,
  int,
  pseudoRandom,
  run,
  runDecomposed,
  shapes,
} from '../computing.ts';

/** x with NaN and an infinity among its numbers, an axis, and windows that may reach outside. */
const cases = shapes(4, 1)
  .filter((shape) => shape.length > 0)
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axis: fc.nat(shape.length - 1),
      starts: fc.array(fc.integer({ min: -3, max: 6 }), { maxLength: 6 }),
      taps: fc.nat(5),
      wild: fc.boolean(),
    }),
  );

/** Numbers in [-1, 1], every third of them 0. */
function weightsOf(shape: readonly number[]): Value {
  const { data } = pseudoRandom(shape, 2);
  return float(
    Array.from(data, (value, i) => (i % 3 === 2 ? 0 : value / 3)),
    shape,
  );
}

test('elements are sums over their windows, what weighs nothing left out', () => {
  fc.assert(
    fc.property(cases, ({ shape, axis, starts, taps, wild }) => {
      const length = shape[axis]!;
      const x = pseudoRandom(shape, 1);
      if (wild) x.data.set([NaN, Infinity, -Infinity].slice(0, x.data.length));
      const weights = weightsOf([starts.length, taps]);
      const inputs = [x, weights, int(starts), float([], [length, 0]), int(Array(length).fill(0))];
      const result = shape.with(axis, starts.length);
      const expected = defined({ shape: result, dtype: 'float32' }, (index) => {
        let sum = 0;
        for (let t = 0; t < taps; t++) {
          const place = starts[index[axis]!]! + t;
          const weight = at(weights, [index[axis]!, t]);
          if (weight !== 0 && place >= 0 && place < length) {
            sum += weight * at(x, index.with(axis, place));
          }
        }
        return sum;
      });
      for (const way of [run, runDecomposed]) {
        const [y] = way('resample', { axis }, ...inputs);
        expect(y!.spec).toEqual(expected.spec);
        expect(distance(y!.data, expected.data)).toBeLessThan(1e-6);
      }
    }),
    { numRuns: 150 },
  );
});
