// The example runs as a user runs it, and learns what it is to learn.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { expect, it } from 'vitest';

const script = fileURLToPath(new URL('../examples/learn-edge-filter.ts', import.meta.url));

it("learns Sobel's kernel by gradient descent", () => {
  const output = execFileSync(process.execPath, ['--conditions=@convoke/source', script], {
    encoding: 'utf8',
  });
  const losses = [...output.matchAll(/loss (\S+)/g)].map(([, loss]) => Number(loss));
  expect(losses.at(-1)).toBeLessThan(1e-9 * losses[0]!);
  const weights = output.trim().split('\n').slice(-3).join(' ').trim().split(/\s+/).map(Number);
  const expected = [1, 0, -1, 2, 0, -2, 1, 0, -1];
  for (const [i, weight] of weights.entries()) expect(weight).toBeCloseTo(expected[i]!, 2);
});
