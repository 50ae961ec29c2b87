import { expect, test } from 'vitest';

import type { Case, Contender } from '../src/contender.ts';
import { timeCase } from '../src/timing.ts';

const benchCase: Case = {
  suite: 'kernels',
  name: 'pair',
  work: { kind: 'gemm', size: 1 },
  inputs: new Map(),
  reference: Float64Array.of(2, -4),
  flops: 8e6,
};
const options = { minRuns: 5, secondsPerContender: 0 };

function contender(name: string, values: readonly number[], log: string[] = []): Contender {
  return {
    name,
    version: '1',
    threads: 1,
    prepare: () =>
      Promise.resolve({
        run: () => {
          log.push(name);
          const until = performance.now() + 25;
          while (performance.now() < until);
        },
        result: () => Promise.resolve(Float32Array.from(values)),
      }),
  };
}

test('contenders take turns, and each is timed at least the asked number of runs', async () => {
  const log: string[] = [];
  const { rows } = await timeCase(
    benchCase,
    [contender('a', [2, -4], log), contender('b', [2, -4], log)],
    options,
  );
  expect(rows.map(({ contender: name, runs }) => [name, runs])).toEqual([
    ['a', 5],
    ['b', 5],
  ]);
  // A sample is one run here, and two without the clock go before it.
  const turn = ['a', 'a', 'a', 'b', 'b', 'b'];
  expect(log.slice(-30)).toEqual(Array.from({ length: 5 }, () => turn).flat());
});

test('a row holds the median between shortest and longest, and the speed that follows from it', async () => {
  const { rows } = await timeCase(benchCase, [contender('a', [2, -4])], options);
  const [row] = rows;
  expect(row!.minMs).toBeLessThanOrEqual(row!.medianMs);
  expect(row!.medianMs).toBeLessThanOrEqual(row!.maxMs);
  expect(row!.gflops).toBeCloseTo(8 / row!.medianMs, 10);
});

test('the error is the largest difference relative to the largest reference value', async () => {
  const { rows } = await timeCase(benchCase, [contender('a', [2.0003, -4])], options);
  expect(rows[0]!.maxRelError).toBeCloseTo(0.0003 / 4, 6);
});

test.each([
  ['off by more than 1e-4', [2.001, -4]],
  ['NaN', [Number.NaN, -4]],
  ['of another length', [2]],
])('a result that is %s is reported and not timed', async (_, values) => {
  const { rows, skipped } = await timeCase(benchCase, [contender('wrong', values)], options);
  expect(rows).toEqual([]);
  expect(skipped[0]).toMatchObject({ contender: 'wrong', case: 'pair' });
  expect(skipped[0]!.reason).toContain('wrong result');
});

test('an abort ends the timing', async () => {
  await expect(
    timeCase(benchCase, [contender('a', [2, -4])], options, AbortSignal.abort(new Error('enough'))),
  ).rejects.toThrow('enough');
});

test('what a task does before a sample is outside the clock, and its last run is awaited inside', async () => {
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const lazy: Contender = {
    ...contender('lazy', [2, -4]),
    prepare: () =>
      Promise.resolve({
        begin: () => wait(100),
        run: () => undefined,
        finish: () => wait(30),
        result: () => Promise.resolve(Float32Array.of(2, -4)),
      }),
  };
  const { rows } = await timeCase(benchCase, [lazy], options);
  expect(rows[0]!.medianMs).toBeGreaterThanOrEqual(29);
  expect(rows[0]!.minMs).toBeLessThan(100);
});

test('a warm-up that ends in a slow moment does not make all samples short', async () => {
  const started = performance.now();
  const hindered: Contender = {
    ...contender('hindered', [2, -4]),
    prepare: () =>
      Promise.resolve({
        run: () => {
          const now = performance.now();
          const until = now + (now - started < 300 ? 20 : 1);
          while (performance.now() < until);
        },
        result: () => Promise.resolve(Float32Array.of(2, -4)),
      }),
  };
  const { rows } = await timeCase(benchCase, [hindered], { minRuns: 5, secondsPerContender: 0.2 });
  // Samples of single runs of 1 ms would be 200.
  expect(rows[0]!.runs).toBeLessThan(40);
});

test("a task's own clock stands in for ours", async () => {
  const remote: Contender = {
    ...contender('remote', [2, -4]),
    prepare: () =>
      Promise.resolve({
        run: () => undefined,
        time: (runs) => Promise.resolve(1000 * runs),
        result: () => Promise.resolve(Float32Array.of(2, -4)),
      }),
  };
  const { rows } = await timeCase(benchCase, [remote], options);
  expect(rows[0]).toMatchObject({ medianMs: 1000, minMs: 1000, maxMs: 1000, runs: 5 });
});

test('the peak takes turns where operations are counted, and is shared by the threads', async () => {
  const peak = {
    flops: 1,
    fused: true,
    run: () => {
      const until = performance.now() + 5;
      while (performance.now() < until);
    },
  };
  // Twice the operations in about the time of the peak's one, on two threads.
  const pair = { ...contender('pair', [2, -4]), threads: 2 };
  const { rows } = await timeCase({ ...benchCase, flops: 2 }, [pair], { ...options, peak });
  expect(rows[0]!.ofPeak).toBeGreaterThan(0);
  expect(rows[0]!.ofPeak).toBeCloseTo(rows[0]!.gflops! / (1 / 5e6) / 2, -1);
  const { rows: uncounted } = await timeCase({ ...benchCase, flops: null }, [pair], {
    ...options,
    peak,
  });
  expect(uncounted[0]).not.toHaveProperty('ofPeak');
});
