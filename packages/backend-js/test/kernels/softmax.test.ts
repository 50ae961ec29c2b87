import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  distance,
  float,
  int,
  pseudoRandom,
  run,
  runDecomposed,
  runInPlace,
  shapes,
} from '../computing.ts';

const shapeAndAxis = shapes(4)
  .filter((shape) => shape.length > 0)
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

describe.each(['softmax', 'logSoftmax'] as const)('%s', (op) => {
  test('equals its decomposition along any axis, and in place', () => {
    fc.assert(
      fc.property(shapeAndAxis, ([shape, axis]) => {
        const x = pseudoRandom(shape, 1);
        const [y] = run(op, { axis }, x);
        expect(distance(y!.data, runDecomposed(op, { axis }, x)[0]!.data)).toBeLessThan(1e-6);
        expect(runInPlace(op, { axis }, x)).toEqual([y]);
      }),
      { numRuns: 40 },
    );
  });

  test('takes infinities and NaN as its decomposition does', () => {
    const x = float(
      [1, -Infinity, 2, 1, Infinity, 2, 1, NaN, 2, -Infinity, -Infinity, -Infinity],
      [4, 3],
    );
    const [direct, composed] = [run(op, { axis: 1 }, x), runDecomposed(op, { axis: 1 }, x)];
    expect(distance(direct[0]!.data, composed[0]!.data)).toBeLessThan(1e-6);
  });
});

test('softmax of large logits adds up to 1 and log-softmax keeps small probabilities', () => {
  const x = float([1000, 1001, 880]);
  const [p] = run('softmax', { axis: 0 }, x);
  const expected = [1 / (1 + Math.E), Math.E / (1 + Math.E), 0];
  expect(distance(p!.data, expected)).toBeLessThan(1e-7);
  const [logs] = run('logSoftmax', { axis: 0 }, x);
  expect(logs!.data[2]).toBeCloseTo(880 - 1001 - Math.log1p(Math.exp(-1)), 4);
});

describe('softmaxCrossEntropy', () => {
  const logits = pseudoRandom([6, 5], 2);
  const classes = int([0, 4, 2, 2, 1, 3]);

  test('equals its decomposition, and in place', () => {
    const direct = run('softmaxCrossEntropy', {}, logits, classes);
    const composed = runDecomposed('softmaxCrossEntropy', {}, logits, classes);
    for (const [i, { spec, data }] of direct.entries()) {
      expect(spec).toEqual(composed[i]!.spec);
      expect(distance(data, composed[i]!.data)).toBeLessThan(1e-6);
    }
    expect(runInPlace('softmaxCrossEntropy', {}, logits, classes)).toEqual(direct);
  });

  test('its gradient equals its decomposition, and in place', () => {
    const [, logs] = run('softmaxCrossEntropy', {}, logits, classes);
    const inputs = [pseudoRandom([6], 3), logits, logs!, classes] as const;
    const [direct] = run('softmaxCrossEntropyGradient', {}, ...inputs);
    const [composed] = runDecomposed('softmaxCrossEntropyGradient', {}, ...inputs);
    expect(distance(direct!.data, composed!.data)).toBeLessThan(1e-6);
    expect(runInPlace('softmaxCrossEntropyGradient', {}, ...inputs)).toEqual([direct]);
  });

  test('refuses a class that there is not', () => {
    expect(() => run('softmaxCrossEntropy', {}, logits, int([0, 4, 2, 5, 1, 3]))).toThrow(
      'softmaxCrossEntropy: a class is out of range: element 3 of [6] is 5; expected 0 to 4',
    );
  });
});
