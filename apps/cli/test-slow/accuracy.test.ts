// What the demo promises to learn, with whole runs: minutes on the js backend.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { lastJson, run } from '../test/program.ts';

interface Result {
  readonly trainAccuracy: number;
  readonly testAccuracy: number;
}

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'convoke-accuracy-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

async function accuracy(...args: string[]): Promise<number> {
  const outcome = await run(['demo', '--backend', 'js', '--json', ...args], work);
  expect(outcome).toMatchObject({ status: 0 });
  return lastJson<Result>(outcome).testAccuracy;
}

describe('the sample of Fashion-MNIST', () => {
  test('is learned to 80 % with the default seed', async () => {
    expect(await accuracy()).toBeGreaterThanOrEqual(0.8);
  });
  test.each(['2', '3'])('is learned to 78 %% with seed %s', async (seed) => {
    expect(await accuracy('--seed', seed)).toBeGreaterThanOrEqual(0.78);
  });
});

const mnist = resolve(process.env['CONVOKE_SHARED'] ?? '../../../shared', 'data/mnist');
const present = existsSync(join(mnist, 'train-images-idx3-ubyte.gz'));
if (!present) console.warn(`\n*** NO MNIST IN ${mnist}: its accuracy was not checked ***\n`);

test.skipIf(!present)('MNIST is learned to 99 % in 5 epochs', async () => {
  expect(
    await accuracy('--dataset', 'mnist', '--data', mnist, '--epochs', '5'),
  ).toBeGreaterThanOrEqual(0.99);
});
