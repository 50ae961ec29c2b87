import { add, log, memory, mul, neg, scope, sub, sum, tensor, type Tensor } from '@convoke/core';
import { beforeAll, describe, expect, test } from 'vitest';

import { Linear, Module, NonFiniteError, Sequential, SGD, Trainer } from '../../src/index.ts';
import { useJs } from '../networks.ts';
import { CLASSES, FEATURES, labelled, network, repeating } from './runs.ts';

beforeAll(useJs);

class Logarithm extends Module {
  override forward(x: Tensor): Tensor {
    return scope(() => log(sub(x, x)));
  }
}

const failing = async (
  model: Module,
  batch = labelled([0, 1]),
  loss?: (outputs: Tensor, labels: Tensor) => Tensor,
): Promise<string> => {
  using optimizer = new SGD(model.namedParameters());
  const trainer = new Trainer({ model, optimizer, loss });
  const error: unknown = await trainer
    .fit(repeating(batch), { epochs: 1 })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NonFiniteError);
  return (error as Error).message;
};

describe('a loss that is not finite', () => {
  test('is traced to the first op that gave such a value, and its layer', async () => {
    using model = new Sequential({
      fc: new Linear({ inFeatures: FEATURES, outFeatures: CLASSES }),
      odd: new Logarithm(),
      last: new Linear({ inFeatures: CLASSES, outFeatures: CLASSES }),
    });
    const message = await failing(model);
    expect(message).toMatch(/the loss became (NaN|-?Infinity) at step 1 \(epoch 1, batch 1/);
    expect(message).toContain("the first to give -Infinity is op 'log' in layer 'odd' (Logarithm)");
  });

  test('is traced to the loss function, to a parameter, to a sample', async () => {
    using model = new Linear({ inFeatures: FEATURES, outFeatures: CLASSES });
    const inLoss = await failing(model, undefined, (outputs) =>
      sum(add(log(neg(mul(outputs, outputs))), 1)),
    );
    expect(inLoss).toContain("is op 'log' in the loss");

    const batch = labelled([0, 1, 2]);
    batch.inputs[FEATURES] = Number.NaN;
    expect(await failing(model, batch)).toContain('sample 1 of the batch');

    model.bias!.assign(tensor([1, Infinity, 0, 0]));
    expect(await failing(model)).toContain("'bias' holds Infinity: an earlier step overflowed");
  });

  test('leaves weights and generators as they were, and nothing behind', async () => {
    using model = network();
    model.replaceModule('fc2', new Logarithm()).dispose();
    const parametersOf = async () => Promise.all(model.parameters().map((slot) => slot.data()));
    const before = await parametersOf();
    await failing(model);
    const { handles } = memory();
    await failing(model);
    expect(memory().handles).toBe(handles);
    expect(await parametersOf()).toEqual(before);
    expect(Object.hasOwn(model, 'forward')).toBe(false);
  });
});
