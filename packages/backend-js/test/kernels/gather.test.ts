import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createJs } from '../../src/index.ts';
import {
  at,
  defined,
  eachIndex,
  float,
  int,
  pseudoRandom,
  run,
  runInPlace,
  shapes,
} from '../computing.ts';

/** A shape, an axis of it, and indices that fit along that axis. */
const picks = shapes(4, 1)
  .filter((shape) => shape.length > 0)
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1), fc.nat(4)))
  .chain(([shape, axis, count]) => {
    const picked = shape.with(axis, count);
    const size = picked.reduce((a, b) => a * b, 1);
    return fc.tuple(
      fc.constant({ shape, axis, picked }),
      fc.array(fc.nat(shape[axis]! - 1), { minLength: size, maxLength: size }),
    );
  });

test('gather picks along any axis', () => {
  fc.assert(
    fc.property(picks, fc.boolean(), ([{ shape, axis, picked }, numbers], whole) => {
      const x = pseudoRandom(shape, 1, whole ? 'int32' : 'float32');
      const indices = int(numbers, picked);
      const expected = defined({ shape: picked, dtype: x.spec.dtype }, (index) =>
        at(x, index.with(axis, at(indices, index))),
      );
      expect(run('gather', { axis }, x, indices)).toEqual([expected]);
    }),
    { numRuns: 60 },
  );
});

test('scatterAdd adds repeated indices up, and in place', () => {
  fc.assert(
    fc.property(picks, fc.boolean(), ([{ shape, axis, picked }, numbers], whole) => {
      const dtype = whole ? 'int32' : 'float32';
      const [x, updates] = [pseudoRandom(shape, 1, dtype), pseudoRandom(picked, 2, dtype)];
      const indices = int(numbers, picked);
      const expected = { spec: x.spec, data: x.data.slice() };
      eachIndex(picked, (index, flat) => {
        const to = index.with(axis, numbers[flat]!);
        expected.data[to.reduce((sum, i, a) => sum * shape[a]! + i, 0)]! += updates.data[flat]!;
      });
      expect(run('scatterAdd', { axis }, x, indices, updates)).toEqual([expected]);
      expect(runInPlace('scatterAdd', { axis }, x, indices, updates)).toEqual([expected]);
    }),
    { numRuns: 60 },
  );
});

test.each([[-1], [3], [2 ** 30]])('an index of %i into 3 elements is refused by name', (bad) => {
  const backend = createJs();
  const put = ({ spec, data }: ReturnType<typeof float>) => backend.upload(spec, data);
  const [x, indices, updates] = [put(float([1, 2, 3])), put(int([0, bad])), put(float([4, 5]))];
  const [picked] = backend.run('gather', [x, indices], { axis: 0 });
  const [added] = backend.run('scatterAdd', [x, indices, updates], { axis: 0 }, [0]);
  const range = `element 1 of [2] is ${bad}; expected 0 to 2`;
  expect(() => backend.readSync!(picked!)).toThrow(`gather: an index is out of range: ${range}`);
  expect(() => backend.readSync!(added!)).toThrow(`scatterAdd: an index is out of range: ${range}`);
});

test('an index into nothing is refused', () => {
  expect(() => run('gather', { axis: 0 }, float([]), int([0]))).toThrow(
    'there is nothing to pick from',
  );
  expect(run('gather', { axis: 0 }, float([]), int([]))[0]!.data).toHaveLength(0);
});
