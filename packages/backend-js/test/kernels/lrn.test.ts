import { describe, expect, it } from 'vitest';
import { decomposed, differences, differencesOfAll, randomTensor, run } from './dense-running.ts';

describe('localResponseNorm', () => {
  it.each([
    { shape: [2, 7, 3, 4], size: 5, alpha: 1, beta: 0.75, k: 2 },
    { shape: [2, 7, 3, 4], size: 4, alpha: 1e-4, beta: 0.75, k: 1 },
    { shape: [1, 3, 5], size: 9, alpha: 2, beta: 0.5, k: 1 },
    { shape: [3, 4], size: 1, alpha: 0.3, beta: 1.3, k: 0.5 },
    { shape: [0, 4, 2, 2], size: 3, alpha: 1, beta: 1, k: 1 },
  ])(
    'equals the definition and the decomposition for $shape, size $size',
    ({ shape, ...attributes }) => {
      const { size, alpha, beta, k } = attributes;
      const x = randomTensor(shape, 1);
      const [batch, channels] = shape as [number, number];
      const plane = shape.slice(2).reduce((a, b) => a * b, 1);
      const wanted = Array.from(x.data, (value, i) => {
        const [sample, channel, at] = [
          Math.floor(i / plane / channels),
          Math.floor(i / plane) % channels,
          i % plane,
        ];
        let energy = 0;
        for (
          let c = channel - Math.floor(size / 2);
          c <= channel + Math.floor((size - 1) / 2);
          c++
        ) {
          if (c >= 0 && c < channels) energy += x.data[(sample * channels + c) * plane + at]! ** 2;
        }
        return value / (k + (alpha / size) * energy) ** beta;
      });
      const result = run('localResponseNorm', [x], attributes);
      expect(
        differences(result[0]!, { shape: [batch, channels, ...shape.slice(2)], data: wanted }),
      ).toEqual([]);
      expect(differencesOfAll(result, decomposed('localResponseNorm', [x], attributes))).toEqual(
        [],
      );
    },
  );
});
