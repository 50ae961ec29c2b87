// Who owns what: results are new tensors, and nothing else stays behind, forward or backward.

import { beforeAll, describe, expect, it } from 'vitest';

import {
  backward,
  current,
  memory,
  parameter,
  scope,
  square,
  sum,
  type Tensor,
} from '../src/index.ts';
import { useJs } from './lab.ts';
import { samples } from './samples.ts';

beforeAll(useJs);

const listOf = (result: Tensor | Tensor[]): Tensor[] => (Array.isArray(result) ? result : [result]);

const readsShapesOnly = new Set(['zerosLike', 'onesLike', 'fullLike', 'oneHot']);

describe('every op', () => {
  it.each(samples)('$name returns new tensors and leaves nothing behind', async (sample) => {
    const before = memory().handles;
    const inputs = sample.inputs();
    const results = listOf(sample.apply(...inputs));
    for (const result of results) expect(inputs).not.toContain(result);
    for (const input of inputs) input.dispose();
    // The results stand by themselves.
    for (const result of results) expect(await result.data()).toHaveLength(result.size);
    for (const result of results) result.dispose();
    expect(memory().handles).toBe(before);
  });

  it.each(samples.filter(({ smooth }) => smooth))(
    '$name leaves nothing behind after a backward pass',
    (sample) => {
      const before = memory().handles;
      const inputs = sample.inputs().map(parameter);
      for (const result of listOf(sample.apply(...inputs))) {
        if (result.requiresGrad) scope(() => backward(sum(square(result))));
        result.dispose();
      }
      expect(inputs.some(({ grad }) => grad !== null)).toBe(true);
      for (const input of inputs) input.dispose();
      expect(memory().handles).toBe(before);
    },
  );

  it.each(samples)('$name leaves nothing behind when a graph is dropped', (sample) => {
    const before = memory().handles;
    const inputs = sample.inputs().map(parameter);
    for (const result of listOf(sample.apply(...inputs))) result.dispose();
    for (const input of inputs) input.dispose();
    expect(memory().handles).toBe(before);
  });

  it.each(samples.filter(({ name }) => !readsShapesOnly.has(name)))(
    '$name names what is wrong with a disposed input and leaks nothing',
    (sample) => {
      const before = memory(current()).handles;
      const inputs = sample.inputs();
      for (const input of inputs) input.dispose();
      expect(() => sample.apply(...inputs)).toThrow(/disposed/);
      expect(memory(current()).handles).toBe(before);
    },
  );
});
