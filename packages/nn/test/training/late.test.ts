// Training on a backend that runs nothing before it is read: what the trainer keeps and frees must not depend on when ops run.

import { createLate } from '@convoke/backend-testkit';
import { memory, use } from '@convoke/core';
import { expect, test } from 'vitest';

import { SGD, Trainer } from '../../src/index.ts';
import { useJs } from '../networks.ts';
import { network, quarters, valuesOf } from './runs.ts';

test('gives the weights of an immediate backend, and leaves nothing behind', async () => {
  await useJs();
  const source = await quarters({ samples: 32, batchSize: 8 });
  const train = async (): Promise<Record<string, number[]>> => {
    using model = network();
    const optimizer = new SGD(model.namedParameters(), { lr: 0.05, momentum: 0.9 });
    await new Trainer({ model, optimizer }).fit(source, { epochs: 2 });
    const values = await valuesOf(model);
    optimizer.dispose();
    return values;
  };
  const expected = await train();
  const late = createLate();
  await use(late);
  const before = memory().handles;
  const values = await train();
  expect(memory().handles).toBe(before);
  for (const [name, list] of Object.entries(expected)) {
    list.forEach((value, i) => expect(values[name]![i]).toBeCloseTo(value, 4));
  }
});
