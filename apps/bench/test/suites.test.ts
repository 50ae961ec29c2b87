// The references of the suites, compared with backend js, which shares nothing with them.

import { js } from '@convoke/backend-js';
import { register, use } from '@convoke/core';
import { expect, test } from 'vitest';

import type { Case } from '../src/contender.ts';
import { convoke } from '../src/contenders/convoke.ts';
import { elements } from '../src/networks/network.ts';
import { resnet20 } from '../src/networks/resnet20.ts';
import { kernelCase, kernelNames } from '../src/suites/kernels.ts';
import { trainingCase, trainingStep } from '../src/suites/training.ts';
import { inference, zooCase } from '../src/suites/zoo.ts';

const large = new Set(['gemm-1024']);
const cases: { name: string; make(name: string): Case | Promise<Case> }[] = [
  ...kernelNames.filter((name) => !large.has(name)).map((name) => ({ name, make: kernelCase })),
  { name: 'lenet5-b64', make: trainingCase },
  // The case's own batch of 32 would take a minute.
  { name: 'resnet20-b2', make: (name) => trainingStep(name, resnet20, 2) },
  { name: 'lenet5', make: zooCase },
  ...['squeezenet1_1', 'mobilenet_v2', 'resnet18'].map((name) => ({
    name,
    // Smaller images than the case's, which would take half a minute.
    make: () => inference(name, { channels: 3, size: 64 }),
  })),
];

test.each(cases)('$name: backend and reference agree to 1e-5', async ({ name, make }) => {
  register(js);
  const contender = convoke(await use('js'), '0');
  const benchCase = await make(name);
  const task = await contender.prepare(benchCase);
  if ('unsupported' in task) throw new Error(task.unsupported);
  const result = await task.result();
  await task.dispose?.();
  expect(result.length).toBe(benchCase.reference.length);
  const largest = benchCase.reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = result.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - benchCase.reference[i]!)),
    0,
  );
  expect(worst / largest).toBeLessThan(1e-5);
});

test('ResNet-20 has the 269,722 parameters of the paper', () => {
  const counts = Object.values(resnet20.parameters).map(elements);
  expect(counts.reduce((a, b) => a + b, 0)).toBe(269_722);
});
