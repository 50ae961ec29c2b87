import { DataError } from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { earlyStopping, SGD, Trainer, type EpochRecord } from '../../src/index.ts';
import { useJs } from '../networks.ts';
import { network, quarters } from './runs.ts';

beforeAll(useJs);

const record = (epoch: number, loss: number): EpochRecord => ({
  epoch,
  loss,
  accuracy: null,
  validationLoss: null,
  validationAccuracy: null,
  learningRate: 1,
  images: 1,
  seconds: 1,
});

const stopsAfter = async (losses: readonly number[], patience: number, minDelta = 0) => {
  const callback = earlyStopping({ monitor: 'loss', patience, minDelta });
  let stopped: number | null = null;
  const history: EpochRecord[] = [];
  for (const [epoch, loss] of losses.entries()) {
    history.push(record(epoch, loss));
    const run = { epochs: 9, history, steps: 0, stop: () => (stopped ??= epoch) };
    await callback.onEpochEnd!(history.at(-1)!, run);
  }
  return stopped;
};

describe('early stopping', () => {
  test('waits for `patience` epochs without improvement', async () => {
    expect(await stopsAfter([5, 4, 4, 4.5, 3, 3, 3], 2)).toBe(3);
    expect(await stopsAfter([5, 4, 4, 3, 3, 2], 2)).toBeNull();
    expect(await stopsAfter([5, 4.95, 4.9], 2, 0.2)).toBe(2);
    expect(await stopsAfter([Number.NaN, 4, 3, 2], 2)).toBeNull();
  });

  test('ends a run, which says why', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters(), { lr: 0 });
    const source = await quarters({ samples: 8, batchSize: 8 });
    const { history, stopped } = await new Trainer({ model, optimizer }).fit(source, {
      epochs: 50,
      validation: source,
      callbacks: [earlyStopping({ monitor: 'validationAccuracy', patience: 3 })],
    });
    expect(history.length).toBeLessThan(50);
    expect(stopped).toContain('validationAccuracy has not improved');
  });

  test('needs what it watches', async () => {
    using model = network();
    using optimizer = new SGD(model.namedParameters());
    const source = await quarters({ samples: 8, batchSize: 8 });
    const fit = new Trainer({ model, optimizer }).fit(source, {
      epochs: 1,
      callbacks: [earlyStopping()],
    });
    await expect(fit).rejects.toThrow(/no validationLoss to watch/);
    expect(() => earlyStopping({ patience: 0 })).toThrow(DataError);
    const misnamed = new Trainer({ model, optimizer }).fit(source, {
      epochs: 1,
      callbacks: [earlyStopping({ monitor: 'val_loss' as 'loss' })],
    });
    await expect(misnamed).rejects.toThrow(/no val_loss to watch/);
  });
});
