import { sizeOf, type Shape } from '@convoke/backend-api';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/kernel.ts';
import {
  decomposed,
  differences,
  differencesOfAll,
  randomTensor,
  run,
  tensor,
} from './dense-running.ts';

const shapes: Shape[] = [
  [4, 3, 5, 6],
  [2, 1, 1, 7],
  [8, 5],
  [3, 4, 6],
  [1, 2, 3, 3],
];
const epsilon = 1e-5;

/** The elements of each channel, sample after sample. */
function byChannel({ spec, data }: Value): number[][] {
  const [batch, channels] = spec.shape as [number, number];
  const plane = sizeOf(spec.shape.slice(2));
  return Array.from({ length: channels }, (_, c) =>
    Array.from(
      { length: batch * plane },
      (__, i) => data[(Math.floor(i / plane) * channels + c) * plane + (i % plane)]!,
    ),
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

function statistics(x: Value): { means: number[]; variances: number[] } {
  const channels = byChannel(x);
  const means = channels.map(mean);
  return {
    means,
    variances: channels.map((values, c) => mean(values.map((v) => (v - means[c]!) ** 2))),
  };
}

function operands(shape: Shape): { x: Value; weight: Value; bias: Value; gradient: Value } {
  const c = [shape[1]!];
  return {
    x: randomTensor(shape, 1),
    weight: randomTensor(c, 2),
    bias: randomTensor(c, 3),
    gradient: randomTensor(shape, 4),
  };
}

describe('batchNormTrain', () => {
  it.each(shapes.map((shape) => [shape]))('normalises %j by its own statistics', (shape) => {
    const { x, weight, bias } = operands(shape);
    const { means, variances } = statistics(x);
    const results = run('batchNormTrain', [x, weight, bias], { epsilon });
    expect(differences(results[1]!, { shape: [shape[1]!], data: means })).toEqual([]);
    expect(differences(results[2]!, { shape: [shape[1]!], data: variances })).toEqual([]);
    for (const [c, values] of byChannel(results[0]!).entries()) {
      const scale = weight.data[c]! / Math.sqrt(variances[c]! + epsilon);
      const wanted = byChannel(x)[c]!.map((v) => (v - means[c]!) * scale + bias.data[c]!);
      expect(
        differences(tensor([values.length], values), { shape: [values.length], data: wanted }),
      ).toEqual([]);
    }
    expect(
      differencesOfAll(results, decomposed('batchNormTrain', [x, weight, bias], { epsilon })),
    ).toEqual([]);
  });

  it('keeps the variance of values far from zero', () => {
    const x = tensor([4, 1], [8191, 8192, 8193, 8192]);
    const [, , variance] = run('batchNormTrain', [x, tensor([1], [1]), tensor([1], [0])], {
      epsilon,
    });
    expect(variance!.data[0]).toBe(0.5);
  });

  it('overwrites a donated input and nothing else', () => {
    const { x, weight, bias } = operands([4, 3, 5, 6]);
    const [wanted] = run('batchNormTrain', [x, weight, bias], { epsilon });
    const [y] = run('batchNormTrain', [x, weight, bias], { epsilon }, [x.data, null, null]);
    expect(y!.data).toBe(x.data);
    expect(differencesOfAll([y!], [wanted!])).toEqual([]);
  });
});

describe('batchNormTrainGradient', () => {
  it.each(shapes.map((shape) => [shape]))(
    'of %j equals finite differences of the definition',
    (shape) => {
      const { x, weight, bias, gradient } = operands(shape);
      const loss = (input: number[][]): number => {
        const g = byChannel(gradient);
        return input.reduce((total, values, c) => {
          const m = mean(values);
          const scale =
            weight.data[c]! / Math.sqrt(mean(values.map((v) => (v - m) ** 2)) + epsilon);
          return (
            total +
            values.reduce((sum, v, i) => sum + g[c]![i]! * ((v - m) * scale + bias.data[c]!), 0)
          );
        }, 0);
      };
      const [, means, variances] = run('batchNormTrain', [x, weight, bias], { epsilon });
      const results = run('batchNormTrainGradient', [gradient, x, weight, means!, variances!], {
        epsilon,
      });
      const made = byChannel(results[0]!);
      for (const [c, i] of [
        [0, 0],
        [shape[1]! - 1, 1],
      ] as const) {
        const step = 1e-5;
        const moved = (by: number): number => {
          const input = byChannel(x);
          input[c]![i]! += by;
          return loss(input);
        };
        expect(made[c]![i]).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 4);
      }
      expect(
        differencesOfAll(
          results,
          decomposed('batchNormTrainGradient', [gradient, x, weight, means!, variances!], {
            epsilon,
          }),
        ),
      ).toEqual([]);
    },
  );
});

describe('batchNormEval', () => {
  it.each(shapes.map((shape) => [shape]))(
    'normalises %j by given statistics, in place if it may',
    (shape) => {
      const { x, weight, bias } = operands(shape);
      const channels = [shape[1]!];
      const inputs = [
        x,
        weight,
        bias,
        randomTensor(channels, 5),
        tensor(channels, randomTensor(channels, 6).data.map(Math.abs)),
      ];
      const wanted = decomposed('batchNormEval', inputs, { epsilon: 1e-3 });
      expect(differencesOfAll(run('batchNormEval', inputs, { epsilon: 1e-3 }), wanted)).toEqual([]);
      const [y] = run('batchNormEval', inputs, { epsilon: 1e-3 }, [x.data, null, null, null, null]);
      expect(y!.data).toBe(x.data);
      expect(differencesOfAll([y!], wanted)).toEqual([]);
    },
  );
});
