import { DataError } from '@convoke/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { batches, type Batch, type Dataset } from '../src/index.ts';
import { numbered } from './samples.ts';

const numbersIn = (list: Iterable<Batch>): number[] =>
  [...list].flatMap(({ inputs }) => [...inputs].filter((_, i) => i % 2 === 0));

const order = (seed: number, epoch: number): number[] =>
  numbersIn(batches(numbered(50), { batchSize: 8, shuffle: true, seed }).epoch(epoch));

const options = fc.record({
  batchSize: fc.integer({ min: 1, max: 12 }),
  shuffle: fc.boolean(),
  seed: fc.nat(50),
  dropLast: fc.constant(false),
});

describe('batches', () => {
  it('hold every sample once an epoch, with its own label', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), options, fc.nat(9), (size, given, epoch) => {
        const source = batches(numbered(size), given);
        const list = [...source.epoch(epoch)];
        expect(list).toHaveLength(source.batchesPerEpoch);
        expect(numbersIn(list).toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: size }, (_, i) => i),
        );
        for (const { inputs, inputShape, labels } of list) {
          expect(inputShape).toEqual([labels.length, 2]);
          expect([...labels]).toEqual(
            numbersIn([{ inputs, inputShape, labels }]).map((n) => n % 3),
          );
        }
      }),
    );
  });

  it('from any batch on are those of the whole epoch', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), options, fc.nat(9), (size, given, epoch) => {
        const source = batches(numbered(size), given);
        const whole = [...source.epoch(epoch)];
        for (let start = 0; start <= whole.length; start++) {
          expect([...batches(numbered(size), given).epoch(epoch, start)]).toEqual(
            whole.slice(start),
          );
        }
      }),
    );
  });

  it('come in the order of the dataset unless shuffled', () => {
    const source = batches(numbered(5), { batchSize: 2 });
    expect([...source.epoch(3)].map((batch) => numbersIn([batch]))).toEqual([[0, 1], [2, 3], [4]]);
  });

  it('come in another order each epoch and for each seed', () => {
    const orders = [order(1, 0), order(1, 1), order(2, 0), order(2, 1)].map(String);
    expect(new Set(orders).size).toBe(4);
    expect(order(1, 1)).toEqual(order(1, 1));
  });

  it('leave out a short last one on request', () => {
    const source = batches(numbered(10), { batchSize: 4, dropLast: true });
    expect(source.batchesPerEpoch).toBe(2);
    expect([...source.epoch(0)].map(({ labels }) => labels.length)).toEqual([4, 4]);
  });

  it('are transformed sample by sample, the dataset itself is not', () => {
    const dataset = numbered(4);
    const source = batches(dataset, {
      batchSize: 3,
      transform: (input, { index, label, epoch }) => input.fill(100 * epoch + 10 * label + index),
    });
    expect(numbersIn(source.epoch(2))).toEqual([200, 211, 222, 203]);
    expect(numbersIn(batches(dataset, { batchSize: 4 }).epoch(0))).toEqual([0, 1, 2, 3]);
  });

  it.each([
    [{ batchSize: 0 }, /batchSize must be a whole number >= 1, got 0/],
    [{ batchSize: 1.5 }, /batchSize/],
    [{ batchSize: 4, seed: -1 }, /seed must be a whole number from 0/],
    [{ batchSize: 11, dropLast: true }, /10 samples give no batch of 11/],
  ])('refuse %j', (given, message) => {
    expect(() => batches(numbered(10), given)).toThrow(message);
  });

  it('refuse to start where there is no batch', () => {
    const source = batches(numbered(10), { batchSize: 4 });
    expect(() => [...source.epoch(0, 4)]).toThrow(/startBatch must be a whole number from 0 to 3/);
    expect(() => [...source.epoch(-1)]).toThrow(/epoch/);
  });

  it('name the sample that a transform has spoilt', () => {
    const source = batches(numbered(10), {
      batchSize: 4,
      shuffle: true,
      transform: (input, { index }) => (index === 6 ? input.fill(NaN) : input),
    });
    expect(() => [...source.epoch(0)]).toThrow(DataError);
    expect(() => [...source.epoch(0)]).toThrow(/sample 6 holds NaN at element 0/);
  });

  it('name the sample of a dataset of your own whose label is out of range', () => {
    const dataset: Dataset = { ...numbered(3), labels: Int32Array.of(0, 9, 1) };
    expect(() => [...batches(dataset, { batchSize: 2 }).epoch(0)]).toThrow(/sample 1 has label 9/);
  });
});
