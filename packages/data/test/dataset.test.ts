import { DataError } from '@convoke/core';
import { describe, expect, it } from 'vitest';

import { channelStatistics, classCounts, inMemory, normalize, subset } from '../src/index.ts';
import { inputOf, numbered, numbersOf } from './samples.ts';

describe('inMemory', () => {
  it('gives samples as they are, and bytes in [0, 1]', () => {
    const floats = inMemory({ inputs: [1, 2, 3, 4], sampleShape: [1, 2], labels: [0, 1] });
    expect(inputOf(floats, 1)).toEqual(Float32Array.of(3, 4));
    const bytes = inMemory({
      inputs: Uint8Array.of(0, 51, 255, 102),
      sampleShape: [1, 2],
      labels: [0, 1],
    });
    expect(inputOf(bytes, 0)).toEqual(Float32Array.of(0, 0.2));
    expect(inputOf(bytes, 1)).toEqual(Float32Array.of(1, 0.4));
  });

  it('writes a sample where it is told to', () => {
    const target = new Float32Array(6);
    numbered(4).read(3, target, 2);
    expect([...target]).toEqual([0, 0, 3, 3.5, 0, 0]);
  });

  it('takes the number of classes from the largest label or the names', () => {
    const data = { inputs: [1, 2], sampleShape: [1], labels: [0, 4] };
    expect(inMemory(data).numClasses).toBe(5);
    expect(inMemory({ ...data, classNames: ['a', 'b', 'c', 'd', 'e', 'f'] }).numClasses).toBe(6);
  });

  const good = { inputs: [1, 2, 3, 4], sampleShape: [2], labels: [0, 1] };

  it.each<[string, Parameters<typeof inMemory>[0], RegExp]>([
    ['a NaN label', { ...good, labels: [0, NaN] }, /sample 1 has label NaN/],
    ['a fractional label', { ...good, labels: [0.5, 1] }, /sample 0 has label 0\.5/],
    ['a negative label', { ...good, labels: [0, -1] }, /sample 1 has label -1/],
    [
      'a label beyond the classes',
      { ...good, labels: [0, 7], numClasses: 3, name: 'digits' },
      /digits: sample 1 has label 7; expected a class number from 0 to 2/,
    ],
    ['a NaN input', { ...good, inputs: [1, 2, 3, NaN] }, /sample 1 holds NaN at element 1/],
    ['an infinite input', { ...good, inputs: [Infinity, 2, 3, 4] }, /sample 0 holds Infinity/],
    ['too few inputs', { ...good, inputs: [1, 2, 3] }, /need 4 inputs, got 3/],
    ['no samples', { ...good, inputs: [], labels: [] }, /no samples/],
    ['an impossible shape', { ...good, sampleShape: [2, 0] }, /shape .* got \[2, 0\]/],
    [
      'names for other classes',
      { ...good, numClasses: 3, classNames: ['a'] },
      /1 class names for 3/,
    ],
    ['no classes', { ...good, numClasses: 0 }, /numClasses/],
  ])('refuses %s', (_, options, message) => {
    expect(() => inMemory(options)).toThrow(DataError);
    expect(() => inMemory(options)).toThrow(message);
  });
});

describe('subset', () => {
  it('has the chosen samples in the chosen order, with their labels', () => {
    const chosen = subset(numbered(10), [7, 0, 7]);
    expect(chosen.size).toBe(3);
    expect(numbersOf(chosen)).toEqual([7, 0, 7]);
    expect([...chosen.labels]).toEqual([1, 0, 1]);
    expect(numbersOf(subset(chosen, [2, 1]))).toEqual([7, 0]);
  });

  it.each([[[10]], [[-1]], [[0.5]], [[NaN]]])('refuses the index %j', (indices) => {
    expect(() => subset(numbered(10), indices)).toThrow(/there is no sample .* 0 to 9/);
  });
});

describe('classCounts', () => {
  it('counts every class, those without samples too', () => {
    const dataset = inMemory({
      inputs: [1, 2, 3],
      sampleShape: [1],
      labels: [2, 0, 2],
      numClasses: 4,
    });
    expect(classCounts(dataset)).toEqual([1, 0, 2, 0]);
  });
});

describe('normalize', () => {
  const images = inMemory({
    inputs: [1, 2, 10, 30, 3, 6, 20, 20],
    sampleShape: [2, 1, 2],
    labels: [0, 1],
  });

  it('with the measured statistics gives each channel mean 0 and deviation 1', () => {
    const statistics = channelStatistics(images);
    expect(statistics.mean).toEqual([3, 20]);
    expect(statistics.std[0]).toBeCloseTo(Math.sqrt((4 + 1 + 0 + 9) / 4), 12);
    const again = channelStatistics(normalize(images, statistics));
    for (const channel of [0, 1]) {
      expect(again.mean[channel]).toBeCloseTo(0, 6);
      expect(again.std[channel]).toBeCloseTo(1, 6);
    }
  });

  it('takes one number for all channels', () => {
    expect(inputOf(normalize(images, { mean: 1, std: 2 }), 0)).toEqual(
      Float32Array.of(0, 0.5, 4.5, 14.5),
    );
  });

  it('leaves the dataset itself alone', () => {
    normalize(images, { mean: 1, std: 2 });
    expect(inputOf(images, 0)).toEqual(Float32Array.of(1, 2, 10, 30));
  });

  it.each([
    [{ mean: [1], std: 1 }, /mean must be .* each of 2 channels/],
    [{ mean: 0, std: [1, 0] }, /std must be above 0/],
    [{ mean: NaN, std: 1 }, /mean/],
  ])('refuses %j', (statistics, message) => {
    expect(() => normalize(images, statistics)).toThrow(message);
  });
});
