import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { classCounts, inMemory, split } from '../src/index.ts';
import { numbered, numbersOf } from './samples.ts';

const part = (seed: number): number[] =>
  numbersOf(split(numbered(60), { validation: 0.3, seed }).validation);

describe('split', () => {
  it('puts every sample in exactly one part', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 80 }),
        fc.double({ min: 0.2, max: 0.8, noNaN: true }),
        fc.nat(1000),
        fc.boolean(),
        (size, validation, seed, stratified) => {
          const parts = split(numbered(size), { validation, seed, stratified });
          expect(parts.validation.size).toBe(Math.round(size * validation));
          const together = [...numbersOf(parts.train), ...numbersOf(parts.validation)];
          expect(together.toSorted((a, b) => a - b)).toEqual(numbersOf(numbered(size)));
        },
      ),
    );
  });

  it('keeps the share of each class, to a sample', () => {
    const labels = Array.from({ length: 100 }, (_, i) => (i < 70 ? 0 : i < 95 ? 1 : 2));
    const dataset = inMemory({ inputs: labels, sampleShape: [1], labels });
    for (const seed of [0, 1, 2]) {
      const { validation } = split(dataset, { validation: 0.2, seed });
      expect(classCounts(validation)).toEqual([14, 5, 1]);
    }
  });

  it('is the same for the same seed and another for another', () => {
    expect(part(5)).toEqual(part(5));
    expect(part(5)).not.toEqual(part(6));
  });

  it.each([0, 1, -0.5, NaN, 10])('refuses a share of %d', (validation) => {
    expect(() => split(numbered(10), { validation })).toThrow(/share between 0 and 1/);
  });

  it('refuses to leave a part empty', () => {
    expect(() => split(numbered(3), { validation: 0.1 })).toThrow(/leaves one part empty/);
    expect(() => split(numbered(3), { validation: 0.9 })).toThrow(/leaves one part empty/);
  });
});
