import type { AdamStepAttributes, SgdStepAttributes } from '@convoke/backend-api';
import { describe, expect, test } from 'vitest';

import { createJs } from '../../src/index.ts';
import type { Value } from '../../src/kernel.ts';
import { distance, float, pseudoRandom, run, runDecomposed, runInPlace } from '../computing.ts';

function positive(value: Value): Value {
  return { ...value, data: value.data.map((element) => Math.abs(element)) };
}

function expectClose(actual: readonly Value[], expected: readonly Value[]): void {
  expect(actual.map(({ spec }) => spec)).toEqual(expected.map(({ spec }) => spec));
  for (const [i, { data }] of actual.entries()) {
    expect(distance(data, expected[i]!.data)).toBeLessThan(2e-6);
  }
}

const shapes = [[3, 2], [5], []];

describe('sgdStep', () => {
  const base: SgdStepAttributes = {
    velocity: false,
    dampening: 0,
    nesterov: false,
    weightDecay: 0,
  };
  test.each<[string, Partial<SgdStepAttributes>]>([
    ['plain', {}],
    ['weight decay', { weightDecay: 0.1 }],
    ['momentum', { velocity: true }],
    ['dampening', { velocity: true, dampening: 0.5, weightDecay: 0.01 }],
    ['nesterov', { velocity: true, nesterov: true, weightDecay: 0.01 }],
  ])('%s equals its decomposition, and in place', (_, changes) => {
    const attributes = { ...base, ...changes };
    const roles = attributes.velocity ? 3 : 2;
    const tensors = shapes.flatMap((shape, i) =>
      Array.from({ length: roles }, (__, role) => pseudoRandom(shape, 1 + i * 3 + role)),
    );
    const scalars = attributes.velocity ? [0.05, 0.9] : [0.05];
    const inputs = [...scalars.map((value) => float([value], [])), ...tensors];
    const direct = run('sgdStep', attributes, ...inputs);
    expectClose(direct, runDecomposed('sgdStep', attributes, ...inputs));
    expect(runInPlace('sgdStep', attributes, ...inputs)).toEqual(direct);
  });
});

describe('adamStep', () => {
  const base: AdamStepAttributes = {
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    decoupled: false,
  };
  test.each<[string, Partial<AdamStepAttributes>]>([
    ['plain', {}],
    ['weight decay', { weightDecay: 0.1 }],
    ['decoupled weight decay', { weightDecay: 0.1, decoupled: true }],
  ])('%s equals its decomposition, and in place', (_, changes) => {
    const attributes = { ...base, ...changes };
    const tensors = shapes.flatMap((shape, i) => [
      pseudoRandom(shape, 1 + i * 4),
      pseudoRandom(shape, 2 + i * 4),
      pseudoRandom(shape, 3 + i * 4),
      positive(pseudoRandom(shape, 4 + i * 4)),
    ]);
    const scalars = [0.01, 0.01 / (1 - 0.9 ** 3), Math.sqrt(1 - 0.999 ** 3), 0.9];
    const inputs = [...scalars.map((value) => float([value], [])), ...tensors];
    const direct = run('adamStep', attributes, ...inputs);
    expectClose(direct, runDecomposed('adamStep', attributes, ...inputs));
    expect(runInPlace('adamStep', attributes, ...inputs)).toEqual(direct);
  });
});

test('a step over donated parameters and states takes no new memory', () => {
  // With room for the four tensors and nothing else, only a step in place can succeed.
  const size = 1000;
  const backend = createJs({ maxBytes: 4 * size * 4 + 16 });
  const scalars = [0.1, 0.1, 1, 0].map((value) =>
    backend.upload({ shape: [], dtype: 'float32' }, Float32Array.of(value)),
  );
  const [p, g, m, v] = Array.from({ length: 4 }, () =>
    backend.upload({ shape: [size], dtype: 'float32' }, new Float32Array(size).fill(1)),
  );
  const attributes = { beta2: 0, epsilon: 0, weightDecay: 0, decoupled: false };
  const outputs = backend.run('adamStep', [...scalars, p!, g!, m!, v!], attributes, [4, 6, 7]);
  expect(backend.readSync!(outputs[0]!)[size - 1]).toBeCloseTo(0.9, 6);
});
