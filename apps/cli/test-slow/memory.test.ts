// A long run: what a step takes, it gives back.

import { createWorkers } from '@convoke/backend-workers';
import { backward, crossEntropy, Generator, onBackend, scope, tensor } from '@convoke/core';
import { SGD } from '@convoke/nn';
import { expect, test } from 'vitest';

import { LeNet5 } from '../src/lenet5.ts';

const STEPS = 10_000;
const BATCH = 8;
/** Until here caches fill: packed filters, blocks that are used again. */
const SETTLED = 100;

test('10,000 training steps on workers: handles, bytes and the heap stay as they are', async () => {
  const backend = await createWorkers({ threads: 2 });
  const generator = new Generator(1);
  const { net, optimizer, labels } = onBackend(backend, () => {
    const lenet = new LeNet5({ generator });
    return {
      net: lenet,
      optimizer: new SGD(lenet.parameters(), { lr: 0.01, momentum: 0.9 }),
      labels: tensor(
        Int32Array.from({ length: BATCH }, (_, i) => i),
        { shape: [BATCH] },
      ),
    };
  });
  const step = (): void =>
    scope(() => {
      optimizer.zeroGrad();
      const images = generator.uniform([BATCH, 1, 28, 28]);
      backward(crossEntropy(net.forward(images), labels));
      optimizer.step();
    });
  const seen: object[] = [];
  for (let done = 1; done <= STEPS; done++) {
    onBackend(backend, step);
    if (done % 50 === 0) await backend.sync();
    if (done !== SETTLED && done % 1000 !== 0) continue;
    const { handles, bytes, details } = backend.memory();
    seen.push({ handles, bytes, heapBytes: details!['heapBytes'] });
  }
  backend.dispose();
  expect(seen).toHaveLength(1 + STEPS / 1000);
  expect(seen).toEqual(seen.map(() => seen[0]));
});
