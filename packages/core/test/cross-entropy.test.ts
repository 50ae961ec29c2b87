import { DataError, DtypeError, ShapeError, type OpName } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  checkGradients,
  crossEntropy,
  explain,
  logSoftmax,
  mul,
  nllLoss,
  softmax,
  square,
  sum,
  tensor,
  valueAndGrad,
  type CrossEntropyOptions,
  type Tensor,
} from '../src/index.ts';
import { build, mismatch, floats, ints, number, plain, useJs, type Plain } from './images.ts';

beforeAll(useJs);

/** Log-probabilities over axis 1 of [N, C, P], in float64. */
function logProbabilities({ shape, data }: Plain): (n: number, c: number, p: number) => number {
  const [, classes, positions] = shape as [number, number, number];
  return (n, c, p) => {
    const at = (k: number): number => data[(n * classes + k) * positions + p]!;
    let total = 0;
    for (let k = 0; k < classes; k++) total += Math.exp(at(k));
    return at(c) - Math.log(total);
  };
}

interface Reference {
  readonly losses: Plain;
  readonly sum: number;
  readonly mean: number;
}

/** PyTorch's rules for class numbers, written out: `classes[n][p]`, scores [N, C, P]. */
function classReference(
  scores: Plain,
  classes: readonly (readonly number[])[],
  weights: readonly number[] | undefined,
  smoothing: number,
  ignoreIndex: number | undefined,
): Reference {
  const logs = logProbabilities(scores);
  const count = scores.shape[1]!;
  let [total, divisor] = [0, 0];
  const losses = build([scores.shape[0]!, scores.shape[2]!], ([n, p]) => {
    const target = classes[n!]![p!]!;
    if (target === ignoreIndex) return 0;
    let spread = 0;
    for (let c = 0; c < count; c++) spread -= (weights?.[c] ?? 1) * logs(n!, c, p!);
    const weight = weights?.[target] ?? 1;
    const loss = -(1 - smoothing) * weight * logs(n!, target, p!) + (smoothing / count) * spread;
    total += loss;
    divisor += weight;
    return loss;
  });
  return { losses, sum: total, mean: total / divisor };
}

describe('crossEntropy of class numbers', () => {
  const weights = [0.5, 2, 1, 0.25];
  const options: [string, CrossEntropyOptions & { weighted?: boolean }][] = [
    ['alone', {}],
    ['with smoothing', { labelSmoothing: 0.2 }],
    ['with weights', { weighted: true }],
    ['with weights and smoothing', { weighted: true, labelSmoothing: 0.3 }],
    ['with ignored targets', { ignoreIndex: 2 }],
    ['with ignored targets beyond the classes', { ignoreIndex: -100 }],
    ['with all of it', { weighted: true, labelSmoothing: 0.1, ignoreIndex: 9 }],
  ];
  test.each(options)('%s follows the definition in every reduction', async (_, given) => {
    const { weighted = false, ...rest } = given;
    const classWeights = weighted ? tensor(weights) : undefined;
    const ignored = rest.ignoreIndex ?? 1;
    const classes = [
      [0, 3, ignored],
      [ignored, 1, 3],
    ];
    const scores = mul(floats([2, 4, 3], 3), 3);
    const expected = classReference(
      await plain(scores),
      classes,
      weighted ? weights : undefined,
      rest.labelSmoothing ?? 0,
      rest.ignoreIndex,
    );
    const target = ints([2, 3], classes.flat());
    const loss = (reduction: 'none' | 'sum' | 'mean'): Tensor =>
      crossEntropy(scores, target, { ...rest, classWeights, reduction });
    expect(await mismatch(loss('none'), expected.losses)).toBeNull();
    expect(await mismatch(loss('sum'), number(expected.sum))).toBeNull();
    expect(await mismatch(loss('mean'), number(expected.mean))).toBeNull();
  });

  test.each(['none', 'sum', 'mean'] as const)(
    'of [N, C] is one fused op, with reduction %s',
    async (reduction) => {
      const scores = floats([3, 4], 3);
      const target = ints([3], [1, 0, 3]);
      const { data } = await plain(scores);
      const expected = classReference(
        { shape: [3, 4, 1], data },
        [[1], [0], [3]],
        undefined,
        0,
        undefined,
      );
      const { result, ops } = explain(() => crossEntropy(scores, target, { reduction }));
      expect(
        await mismatch(
          result,
          reduction === 'none'
            ? { shape: [3], data: expected.losses.data }
            : number(expected[reduction]),
        ),
      ).toBeNull();
      const names = ops.map(({ op }): OpName => op);
      expect(names).toContain('softmaxCrossEntropy');
      expect(names).not.toContain('logSoftmax');
    },
  );

  test('takes images of classes [N, C, H, W]', async () => {
    const scores = floats([2, 3, 2, 2], 3);
    const classes = [
      [0, 1, 2, 0],
      [1, 1, 0, 2],
    ];
    const { data } = await plain(scores);
    const expected = classReference({ shape: [2, 3, 4], data }, classes, undefined, 0, undefined);
    expect(
      await mismatch(crossEntropy(scores, ints([2, 2, 2], classes.flat()), { reduction: 'none' }), {
        shape: [2, 2, 2],
        data: expected.losses.data,
      }),
    ).toBeNull();
  });

  test('stays finite for large logits', async () => {
    const loss = crossEntropy(floats([1, 2], [1000, -1000]), ints([1], [1]));
    expect(await mismatch(loss, number(2000))).toBeNull();
  });

  test('is NaN where all targets are ignored, as a mean of nothing is', async () => {
    const loss = crossEntropy(floats([2, 3]), ints([2], [1, 1]), { ignoreIndex: 1 });
    expect(await loss.item()).toBeNaN();
  });

  test.each(options)('gradients %s agree with finite differences', async (_, given) => {
    const { weighted = false, ...rest } = given;
    const classWeights = weighted ? tensor(weights) : undefined;
    const target = ints([3], [0, rest.ignoreIndex ?? 1, 3]);
    const inputs = [floats([3, 4], 3)];
    const f = (scores: Tensor): Tensor =>
      mul(crossEntropy(scores, target, { ...rest, classWeights }), 3);
    expect(await checkGradients(f, inputs)).toMatchObject({ passed: true });
    const penalty = valueAndGrad(f);
    const second = await checkGradients((scores) => sum(square(penalty(scores).grads[0]!)), inputs);
    expect(second).toMatchObject({ passed: true });
  });

  test('an ignored target takes no gradient', async () => {
    const target = ints([2], [-1, 0]);
    const { grads } = valueAndGrad((scores) => crossEntropy(scores, target, { ignoreIndex: -1 }))(
      floats([2, 3]),
    );
    const gradient = [...(await grads[0]!.data())];
    expect(gradient.slice(0, 3)).toEqual([0, 0, 0]);
    expect(gradient.slice(3).some((value) => value !== 0)).toBe(true);
  });

  test.each([{}, { labelSmoothing: 0.1 }, { ignoreIndex: -1 }])(
    'a class out of range is an error on a backend that checks (%o)',
    async (given) => {
      for (const wrong of [3, -2]) {
        const attempt = async (): Promise<unknown> =>
          crossEntropy(floats([2, 3]), ints([2], [0, wrong]), given).data();
        await expect(attempt()).rejects.toThrow(DataError);
        await expect(attempt()).rejects.toThrow(new RegExp(String(wrong)));
      }
    },
  );
});

describe('crossEntropy of probabilities', () => {
  test.each([
    { labelSmoothing: 0 },
    { labelSmoothing: 0.2 },
    { labelSmoothing: 0.2, weights: [0.5, 2, 1] },
  ])('follows the definition: %o', async ({ labelSmoothing, weights }) => {
    const scores = floats([2, 3, 2], 3);
    const target = softmax(floats([2, 3, 2], 4), { axis: 1 });
    const logs = logProbabilities(await plain(scores));
    const { data } = await plain(target);
    const losses = build([2, 2], ([n, p]) => {
      let loss = 0;
      for (let c = 0; c < 3; c++) {
        const share = data[(n! * 3 + c) * 2 + p!]! * (1 - labelSmoothing) + labelSmoothing / 3;
        loss -= (weights?.[c] ?? 1) * share * logs(n!, c, p!);
      }
      return loss;
    });
    const options = { labelSmoothing, classWeights: weights && tensor(weights) };
    expect(
      await mismatch(crossEntropy(scores, target, { ...options, reduction: 'none' }), losses),
    ).toBeNull();
    const total = [...(losses.data as Float64Array)].reduce((a, b) => a + b, 0);
    expect(
      await mismatch(crossEntropy(scores, target, { ...options, reduction: 'sum' }), number(total)),
    ).toBeNull();
    expect(await mismatch(crossEntropy(scores, target, options), number(total / 4))).toBeNull();
  });

  test('gradients of logits and target agree with finite differences', async () => {
    const check = await checkGradients(
      (scores, target) => crossEntropy(scores, target, { labelSmoothing: 0.1 }),
      [floats([2, 3], 3), floats([2, 3], 4)],
    );
    expect(check).toMatchObject({ passed: true });
  });
});

const twoLogits = (): Tensor => floats([2, 3]);
const twoClasses = (): Tensor => ints([2], [0, 1]);

describe('mistakes in classification', () => {
  const mistakes: [string, () => unknown, typeof ShapeError | typeof DtypeError, RegExp][] = [
    [
      'a batch that differs',
      () => crossEntropy(twoLogits(), ints([3], [0, 1, 2])),
      ShapeError,
      /crossEntropy: logits \[2, 3\] need classes of shape \[2\], got \[3\]/,
    ],
    [
      'float classes',
      () => crossEntropy(twoLogits(), floats([2], [0, 1])),
      DtypeError,
      /float32 \[2\]; expected int32.*cast/,
    ],
    [
      'logits of rank 1',
      () => crossEntropy(floats([3]), ints([], [0])),
      ShapeError,
      /logits have shape \[3\]; expected \[N, C\]/,
    ],
    [
      'probabilities of rank 1',
      () => crossEntropy(floats([3]), floats([3])),
      ShapeError,
      /logits have shape \[3\]/,
    ],
    [
      'int32 logits',
      () => crossEntropy(ints([2, 3], [0, 0, 0, 0, 0, 0]), twoClasses()),
      DtypeError,
      /crossEntropy: .*logits is int32/,
    ],
    [
      'smoothing beyond 1',
      () => crossEntropy(twoLogits(), twoClasses(), { labelSmoothing: 1.5 }),
      ShapeError,
      /labelSmoothing .*got 1.5/,
    ],
    [
      'weights of another count',
      () => crossEntropy(twoLogits(), twoClasses(), { classWeights: floats([2]) }),
      ShapeError,
      /classWeights has shape \[2\]; expected \[3\]/,
    ],
    [
      'an unknown reduction',
      () => crossEntropy(twoLogits(), twoClasses(), { reduction: 'avg' as never }),
      ShapeError,
      /reduction must be one of mean, sum, none; got avg/,
    ],
    [
      'ignoreIndex with probabilities',
      () => crossEntropy(twoLogits(), twoLogits(), { ignoreIndex: 0 }),
      ShapeError,
      /ignoreIndex 0 is for class numbers/,
    ],
    [
      'nll with a batch that differs',
      () => nllLoss(twoLogits(), ints([1], [0])),
      ShapeError,
      /nllLoss: .*need classes of shape \[2\], got \[1\]/,
    ],
  ];
  test.each(mistakes)('are named: %s', (_, call, kind, message) => {
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });
});

describe('nllLoss', () => {
  test('of log-softmax is cross-entropy', async () => {
    const scores = floats([3, 4, 2], 3);
    const target = ints([3, 2], [0, 3, 5, 1, 2, 5]);
    const options = { ignoreIndex: 5, classWeights: tensor([1, 2, 3, 4]) };
    for (const reduction of ['mean', 'sum', 'none'] as const) {
      const expected = crossEntropy(scores, target, { ...options, reduction });
      const actual = nllLoss(logSoftmax(scores, { axis: 1 }), target, { ...options, reduction });
      expect(await mismatch(actual, await plain(expected))).toBeNull();
    }
  });
});
