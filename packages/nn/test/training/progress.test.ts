import { describe, expect, test } from 'vitest';

import {
  bestEpoch,
  formatConfusion,
  Metrics,
  progress,
  type EpochRecord,
  type Run,
  type StepEvent,
} from '../../src/index.ts';

const record = (epoch: number, values: Partial<EpochRecord> = {}): EpochRecord => ({
  epoch,
  loss: 0.5,
  accuracy: 0.75,
  validationLoss: null,
  validationAccuracy: null,
  learningRate: 0.1,
  images: 100,
  seconds: 0.5,
  ...values,
});

const step = (batch: number): StepEvent => ({
  epoch: 1,
  epochs: 10,
  batch,
  batchesPerEpoch: 4,
  step: batch + 1,
  loss: 1,
  meanLoss: 1.25,
  accuracy: 0.5,
  learningRate: 0.1,
  imagesPerSecond: 200,
});

const runOf = (history: readonly EpochRecord[], steps = 0): Run => ({
  epochs: 10,
  history,
  steps,
  stop: () => undefined,
});

/** Everything that a run of two steps and an epoch writes. */
async function written(stream: { isTTY?: boolean; columns?: number }): Promise<string[]> {
  const parts: string[] = [];
  const callback = progress({ ...stream, write: (text) => parts.push(text) });
  await callback.onStart?.(runOf([]));
  await callback.onStep?.(step(0), runOf([]));
  await callback.onStep?.(step(1), runOf([]));
  await callback.onEpochEnd?.(
    record(1, { validationLoss: 0.6, validationAccuracy: 0.7 }),
    runOf([]),
  );
  await callback.onEnd?.(runOf([]));
  return parts;
}

describe('progress', () => {
  test('is a line an epoch in a pipe', async () => {
    expect((await written({})).join('')).toBe(
      'epoch  2/10  loss 0.5000  accuracy 75.0 %  validation loss 0.6000  accuracy 70.0 %  200 images/s\n',
    );
  });

  test('is a bar that redraws itself in a terminal, and never wraps', async () => {
    const text = (await written({ isTTY: true, columns: 80 })).join('');
    expect(text.replaceAll('\r\u001B[K', '|')).toMatch(
      /\|epoch 2\/10 \[=+ +\] 1\/4 {2}loss 1\.2500 {2}50\.0 % {2}200 images\/s/,
    );
    expect(text.endsWith('\r\u001B[K')).toBe(true);
    for (const columns of [10, 20, 40, 60, 80, 200]) {
      const parts = await written({ isTTY: true, columns });
      const bars = parts.filter((part) => part.startsWith('epoch 2') && !part.endsWith('\n'));
      expect(bars).toHaveLength(1);
      expect(bars[0]!.length).toBeLessThan(columns);
    }
  });

  test('says where a resumed run goes on', async () => {
    const parts: string[] = [];
    const callback = progress({ write: (text) => parts.push(text) });
    await callback.onStart?.(runOf([record(0)], 7));
    const all = Array.from({ length: 10 }, (_, epoch) => record(epoch));
    await callback.onStart?.(runOf(all, 40));
    expect(parts).toEqual([
      'resuming in epoch 2 of 10, after step 7\n',
      'all 10 epochs are done\n',
    ]);
  });
});

describe('metrics', () => {
  const outputs = [3, 1, 2, 1, 1, 0, 0, 5, 4];

  test('count top-1, top-k and confusion; the first of equals wins', () => {
    const metrics = new Metrics(2, { confusion: true });
    metrics.add(1, outputs, [3, 3], Int32Array.of(0, 1, 0));
    metrics.add(4, outputs.slice(0, 3), [1, 3], Int32Array.of(2));
    const { accuracy, topKAccuracy, confusion, loss, samples } = metrics.summary();
    // Predicted 0, 0, 1, 0 for 0, 1, 0, 2.
    expect({ accuracy, topKAccuracy, loss, samples }).toEqual({
      accuracy: 0.25,
      topKAccuracy: 0.75,
      loss: 7 / 4,
      samples: 4,
    });
    expect(confusion).toEqual([
      [1, 1, 0],
      [1, 0, 0],
      [1, 0, 0],
    ]);
  });

  test('go on from their state', () => {
    const whole = new Metrics(1);
    const first = new Metrics(1);
    for (const metrics of [whole, first]) metrics.add(0.1, outputs, [3, 3], Int32Array.of(0, 1, 0));
    const state = JSON.parse(JSON.stringify(first.state())) as ReturnType<typeof first.state>;
    const second = new Metrics(1, { state });
    for (const metrics of [whole, second])
      metrics.add(0.3, outputs, [3, 3], Int32Array.of(0, 0, 1));
    expect(second.state()).toEqual(whole.state());
  });

  test('of the best epoch are the earlier of equals', () => {
    const history = [0.5, 0.3, 0.3, Number.NaN, 0.4].map((loss, epoch) => record(epoch, { loss }));
    expect(bestEpoch(history, 'loss')!.epoch).toBe(1);
    expect(bestEpoch(history, 'accuracy')!.epoch).toBe(0);
    expect(bestEpoch(history, 'validationLoss')).toBeNull();
  });

  test('a confusion matrix is printed in columns', () => {
    const text = formatConfusion(
      [
        [10, 0],
        [3, 7],
      ],
      ['cat', 'dog'],
    );
    const lines = text.split('\n');
    expect(lines).toHaveLength(3);
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
    expect(lines[1]).toMatch(/^cat +0 +10 +\.$/);
    expect(lines[2]).toMatch(/^dog +1 +3 +7$/);
  });
});
