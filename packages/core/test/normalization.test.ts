import { ShapeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  batchNorm,
  batchNormTrain,
  checkGradients,
  groupNorm,
  layerNorm,
  localResponseNorm,
  mul,
  square,
  sum,
  tensor,
  valueAndGrad,
  type Tensor,
} from '../src/index.ts';
import { build, mismatch, floats, leaked, plain, useJs, type Plain } from './images.ts';

beforeAll(useJs);

/**
 * x normalised over sets of elements: `set` names the one that an index belongs to.
 */
function normalized(
  x: Plain,
  epsilon: number,
  set: (index: number[]) => string,
  affine: (index: number[]) => [number, number],
): Plain {
  const values = new Map<string, number[]>();
  let flat = 0;
  build(x.shape, (index) => {
    const key = set(index);
    values.set(key, [...(values.get(key) ?? []), x.data[flat++]!]);
    return 0;
  });
  flat = 0;
  return build(x.shape, (index) => {
    const own = values.get(set(index))!;
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    const variance = own.reduce((a, b) => a + (b - mean) ** 2, 0) / own.length;
    const [weight, bias] = affine(index);
    return ((x.data[flat++]! - mean) / Math.sqrt(variance + epsilon)) * weight + bias;
  });
}

/** Whether first and second derivatives agree with finite differences. */
async function bothAgree(f: (...inputs: Tensor[]) => Tensor, inputs: Tensor[]): Promise<boolean> {
  const first = await checkGradients(f, inputs);
  const penalty = valueAndGrad(f);
  const second = await checkGradients(
    (...all) => mul(sum(square(penalty(...all).grads[0]!)), 0.1),
    inputs,
    { tolerance: 2e-2 },
  );
  return first.passed && second.passed;
}

describe('batchNormTrain', () => {
  test.each([[[4, 3]], [[2, 3, 5]], [[2, 3, 4, 2]]])(
    'normalises each channel of %o and returns its statistics',
    async (shape) => {
      const x = mul(floats(shape, 3), 4);
      const [weight, bias] = [tensor([1, 2, -1]), tensor([0.5, 0, 3])];
      const image = await plain(x);
      const { y, mean, variance } = batchNormTrain(x, { weight, bias, epsilon: 1e-3 });
      const expected = normalized(
        image,
        1e-3,
        ([, c]) => String(c),
        ([, c]) => [[1, 2, -1][c!]!, [0.5, 0, 3][c!]!],
      );
      expect(await mismatch(y, expected)).toBeNull();
      const inner = shape.slice(2).reduce((a, b) => a * b, 1);
      const channel = (c: number): number[] =>
        [...(image.data as Float32Array)].filter((_, i) => Math.floor(i / inner) % 3 === c);
      const means = [0, 1, 2].map((c) => channel(c).reduce((a, b) => a + b, 0) / channel(c).length);
      expect(await mismatch(mean, { shape: [3], data: means })).toBeNull();
      const variances = [0, 1, 2].map(
        (c) => channel(c).reduce((a, b) => a + (b - means[c]!) ** 2, 0) / channel(c).length,
      );
      expect(await mismatch(variance, { shape: [3], data: variances })).toBeNull();
    },
  );

  test('its statistics carry no gradient', () => {
    const { grads } = valueAndGrad((x) => {
      const { y, mean, variance } = batchNormTrain(x);
      expect([y.requiresGrad, mean.requiresGrad, variance.requiresGrad]).toEqual([
        true,
        false,
        false,
      ]);
      return sum(y);
    })(floats([4, 2]));
    expect(grads).toHaveLength(1);
  });

  test('gradients and second derivatives agree with finite differences', async () => {
    const upstream = floats([3, 2, 2, 2], 8);
    expect(
      await bothAgree(
        (x, weight, bias) =>
          sum(mul(batchNormTrain(x, { weight, bias, epsilon: 0.1 }).y, upstream)),
        [floats([3, 2, 2, 2], 3), floats([2], 4), floats([2], 5)],
      ),
    ).toBe(true);
  });

  test('refuses a single element a channel, whose variance says nothing', () => {
    expect(() => batchNormTrain(floats([1, 3, 1, 1]))).toThrow(ShapeError);
    expect(() => batchNormTrain(floats([1, 3]))).toThrow(
      /batchNormTrain: .*\[1, 3\].*one element a channel/,
    );
  });
});

describe('batchNorm', () => {
  test('normalises by the given statistics; weight and bias may be left out', async () => {
    const x = floats([2, 2, 3], 3);
    const image = await plain(x);
    const [mean, variance] = [tensor([0.5, -1]), tensor([4, 0.25])];
    const standard = build([2, 2, 3], ([n, c, i]) => {
      const value = image.data[(n! * 2 + c!) * 3 + i!]!;
      return (value - [0.5, -1][c!]!) / Math.sqrt([4, 0.25][c!]! + 1e-5);
    });
    expect(await mismatch(batchNorm(x, { mean, variance }), standard)).toBeNull();
    const weighted = batchNorm(x, {
      mean,
      variance,
      weight: tensor([2, 3]),
      bias: tensor([1, -1]),
    });
    expect(
      await mismatch(
        weighted,
        build([2, 2, 3], ([n, c, i]) => {
          return standard.data[(n! * 2 + c!) * 3 + i!]! * [2, 3][c!]! + [1, -1][c!]!;
        }),
      ),
    ).toBeNull();
  });

  test('gradients agree with finite differences', async () => {
    const upstream = floats([2, 2, 3], 8);
    expect(
      await bothAgree(
        (x, weight, bias) => {
          const options = { mean: tensor([0.5, -1]), variance: tensor([4, 0.25]), weight, bias };
          return sum(mul(square(batchNorm(x, options)), upstream));
        },
        [floats([2, 2, 3], 3), floats([2], 4), floats([2], 5)],
      ),
    ).toBe(true);
  });

  test('names vectors of the wrong length', () => {
    const [mean, variance] = [floats([3]), floats([3])];
    expect(() => batchNorm(floats([2, 2, 3]), { mean, variance })).toThrow(
      /batchNorm: running mean has shape \[3\]; expected \[2\]/,
    );
    expect(() => batchNorm(floats([3]), { mean, variance })).toThrow(
      /batchNorm: .*\[N, C, \.\.\.\]/,
    );
  });
});

describe('layerNorm', () => {
  test('normalises each sample over its last axes', async () => {
    const x = floats([2, 3, 4], 3);
    const [weight, bias] = [floats([4], 5), floats([4], 6)];
    const [w, b] = [await weight.data(), await bias.data()];
    expect(
      await mismatch(
        layerNorm(x, { normalizedShape: 4, weight, bias }),
        normalized(
          await plain(x),
          1e-5,
          ([n, i]) => `${n} ${i}`,
          ([, , j]) => [w[j!]!, b[j!]!],
        ),
        1e-4,
      ),
    ).toBeNull();
    expect(
      await mismatch(
        layerNorm(x, { normalizedShape: [3, 4], epsilon: 1e-2 }),
        normalized(
          await plain(x),
          1e-2,
          ([n]) => `${n}`,
          () => [1, 0],
        ),
      ),
    ).toBeNull();
  });

  test('gradients and second derivatives agree with finite differences', async () => {
    const upstream = floats([2, 4], 8);
    expect(
      await bothAgree(
        (x, weight, bias) => {
          const y = layerNorm(x, { normalizedShape: 4, weight, bias, epsilon: 0.1 });
          return sum(mul(square(y), upstream));
        },
        [floats([2, 4], 3), floats([4], 4), floats([4], 5)],
      ),
    ).toBe(true);
  });

  test.each([
    [[2, 3, 4], { normalizedShape: 3 }, /layerNorm: .*\[2, 3, 4\].*normalizedShape \[3\]/],
    [[4], { normalizedShape: [2, 4] }, /layerNorm: .*\[4\].*\[2, 4\]/],
    [[2, 4], { normalizedShape: [] }, /layerNorm: .*normalizedShape \[\]/],
    [[2, 4], { normalizedShape: 4, epsilon: -1 }, /layerNorm: epsilon .*got -1/],
  ])('names the mistake for %o and %o', (shape, options, message) => {
    expect(() => layerNorm(floats(shape), options)).toThrow(ShapeError);
    expect(() => layerNorm(floats(shape), options)).toThrow(message);
  });

  test('names a weight of the wrong shape', () => {
    const options = { normalizedShape: 4, weight: floats([3]) };
    expect(() => layerNorm(floats([2, 4]), options)).toThrow(
      /weight has shape \[3\]; expected \[4\]/,
    );
  });
});

describe('groupNorm', () => {
  test.each([1, 2, 4])('normalises %i groups of channels of each sample', async (groups) => {
    const x = floats([2, 4, 3, 2], 3);
    const [weight, bias] = [tensor([1, 2, 3, 4]), tensor([4, 3, 2, 1])];
    const expected = normalized(
      await plain(x),
      1e-5,
      ([n, c]) => `${n} ${Math.floor(c! / (4 / groups))}`,
      ([, c]) => [c! + 1, 4 - c!],
    );
    expect(await mismatch(groupNorm(x, { groups, weight, bias }), expected, 1e-4)).toBeNull();
  });

  test('gradients and second derivatives agree with finite differences', async () => {
    const upstream = floats([2, 4, 2], 8);
    expect(
      await bothAgree(
        (x, weight) => {
          return sum(mul(square(groupNorm(x, { groups: 2, weight, epsilon: 0.1 })), upstream));
        },
        [floats([2, 4, 2], 3), floats([4], 4)],
      ),
    ).toBe(true);
  });

  test.each([3, 0, 1.5])('refuses %d groups of 4 channels', (groups) => {
    expect(() => groupNorm(floats([2, 4, 2]), { groups })).toThrow(ShapeError);
    expect(() => groupNorm(floats([2, 4, 2]), { groups })).toThrow(/groupNorm: .*\[2, 4, 2\]/);
  });

  test('refuses an input without channels and vectors that do not fit', () => {
    expect(() => groupNorm(floats([4]), { groups: 1 })).toThrow(/groupNorm: .*\[N, C, \.\.\.\]/);
    expect(() => groupNorm(floats([2, 4]), { groups: 1, bias: floats([2]) })).toThrow(
      /bias has shape \[2\]; expected \[4\]/,
    );
  });
});

describe('localResponseNorm', () => {
  test.each([1, 2, 3, 5])('divides by the energy of %i neighbouring channels', async (size) => {
    const x = floats([2, 6, 2, 2], 3);
    const image = await plain(x);
    const element = (n: number, c: number, i: number, j: number): number =>
      image.data[((n * 6 + c) * 2 + i) * 2 + j]!;
    const expected = build([2, 6, 2, 2], ([n, c, i, j]) => {
      let energy = 0;
      const first = c! - Math.floor(size / 2);
      for (let other = first; other < first + size; other++) {
        if (other >= 0 && other < 6) energy += element(n!, other, i!, j!) ** 2;
      }
      return element(n!, c!, i!, j!) / (2 + (0.5 / size) * energy) ** 0.75;
    });
    expect(
      await mismatch(localResponseNorm(x, { size, alpha: 0.5, beta: 0.75, k: 2 }), expected),
    ).toBeNull();
  });

  test('gradients agree with finite differences', async () => {
    const upstream = floats([1, 4, 2, 1], 8);
    expect(
      await bothAgree(
        (x) => sum(mul(localResponseNorm(x, { size: 3, alpha: 1 }), upstream)),
        [floats([1, 4, 2, 1], 3)],
      ),
    ).toBe(true);
  });

  test('refuses a broken size', () => {
    expect(() => localResponseNorm(floats([1, 4]), { size: 0 })).toThrow(/localResponseNorm: size/);
  });
});

test('normalisations leave nothing behind but their results', () => {
  const x = floats([2, 4, 3, 3]);
  const vectors = { weight: floats([4]), bias: floats([4], 2) };
  const statistics = { mean: floats([4]), variance: tensor([1, 2, 3, 4]) };
  expect(leaked(() => batchNorm(x, statistics))).toBe(0);
  expect(leaked(() => batchNorm(x, { ...statistics, ...vectors }))).toBe(0);
  expect(leaked(() => ({ ...batchNormTrain(x) }))).toBe(0);
  expect(leaked(() => layerNorm(x, { normalizedShape: [3, 3] }))).toBe(0);
  expect(leaked(() => groupNorm(x, { groups: 2, ...vectors }))).toBe(0);
  expect(leaked(() => localResponseNorm(x, { size: 3 }))).toBe(0);
});
