import { DataError, DtypeError, ShapeError, type OpName } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  bceLoss,
  bceWithLogitsLoss,
  checkGradients,
  crossEntropy,
  explain,
  huberLoss,
  klDivLoss,
  l1Loss,
  log,
  logSoftmax,
  mseLoss,
  mul,
  nllLoss,
  sigmoid,
  smoothL1Loss,
  softmax,
  square,
  sum,
  tensor,
  valueAndGrad,
  type CrossEntropyOptions,
  type Tensor,
} from '../src/index.ts';
import {
  build,
  eachIndex,
  mismatch,
  floats,
  ints,
  leaked,
  plain,
  useJs,
  type Plain,
} from './images.ts';

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

const number = (value: number): Plain => ({ shape: [], data: [value] });

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

describe('losses of numbers', () => {
  const formulas: [string, (a: Tensor, b: Tensor, o: object) => Tensor, (d: number) => number][] = [
    ['mseLoss', mseLoss, (d) => d * d],
    ['l1Loss', l1Loss, Math.abs],
    ['smoothL1Loss', smoothL1Loss, (d) => (Math.abs(d) < 1 ? (d * d) / 2 : Math.abs(d) - 0.5)],
    [
      'smoothL1Loss with beta 0.5',
      (a, b, o) => smoothL1Loss(a, b, { ...o, beta: 0.5 }),
      (d) => (Math.abs(d) < 0.5 ? d * d : Math.abs(d) - 0.25),
    ],
    ['smoothL1Loss with beta 0', (a, b, o) => smoothL1Loss(a, b, { ...o, beta: 0 }), Math.abs],
    [
      'huberLoss with delta 2',
      (a, b, o) => huberLoss(a, b, { ...o, delta: 2 }),
      (d) => (Math.abs(d) < 2 ? (d * d) / 2 : 2 * (Math.abs(d) - 1)),
    ],
  ];
  test.each(formulas)('%s follows its formula and gradient', async (_, loss, formula) => {
    const [a, b] = [mul(floats([3, 4], 3), 3), floats([3, 4], 5)];
    const [p, t] = [await plain(a), await plain(b)];
    const losses = build([3, 4], ([i, j]) => formula(p.data[i! * 4 + j!]! - t.data[i! * 4 + j!]!));
    const total = [...(losses.data as Float64Array)].reduce((x, y) => x + y, 0);
    expect(await mismatch(loss(a, b, { reduction: 'none' }), losses)).toBeNull();
    expect(await mismatch(loss(a, b, { reduction: 'sum' }), number(total))).toBeNull();
    expect(await mismatch(loss(a, b, {}), number(total / 12))).toBeNull();
    const check = await checkGradients((x, y) => loss(x, y, { reduction: 'sum' }), [a, b], {
      epsilon: 1e-3,
    });
    expect(check).toMatchObject({ passed: true });
  });

  test('name shapes that differ, which would broadcast silently', () => {
    for (const loss of [
      mseLoss,
      l1Loss,
      smoothL1Loss,
      huberLoss,
      bceLoss,
      bceWithLogitsLoss,
      klDivLoss,
    ]) {
      const call = (): unknown => loss(floats([3, 1]), floats([3]));
      expect(call).toThrow(ShapeError);
      expect(call).toThrow(new RegExp(`${loss.name}: .*\\[3, 1\\].*\\[3\\]`));
    }
  });

  test('name class numbers where float32 targets are expected', () => {
    const targets = ints([2], [0, 1]);
    expect(() => mseLoss(floats([2]), targets)).toThrow(DtypeError);
    expect(() => mseLoss(floats([2]), targets)).toThrow(
      /mseLoss: the target is int32 \[2\]; expected float32.*cast/,
    );
  });

  test('name limits and reductions they cannot use', () => {
    const [a, b] = [floats([2]), floats([2])];
    expect(() => smoothL1Loss(a, b, { beta: -1 })).toThrow(/beta .*>= 0, got -1/);
    expect(() => huberLoss(a, b, { delta: 0 })).toThrow(/delta .*> 0, got 0/);
    expect(() => mseLoss(a, b, { reduction: 'batchmean' as never })).toThrow(/mseLoss: reduction/);
  });
});

describe('bceLoss', () => {
  test('follows its definition, with logarithms limited to -100', async () => {
    const p = [0.3, 0.9, 0, 1, 0, 1, 0.5];
    const t = [1, 0.25, 0, 1, 1, 0, 0.5];
    const expected = p.map((value, i) => {
      const [yes, no] = [value, 1 - value].map((x) => Math.max(Math.log(x), -100));
      return -(t[i]! * yes! + (1 - t[i]!) * no!);
    });
    expect(
      await mismatch(bceLoss(tensor(p), tensor(t), { reduction: 'none' }), {
        shape: [7],
        data: expected,
      }),
    ).toBeNull();
  });

  test('gradients agree with finite differences and are finite at 0 and 1', async () => {
    const check = await checkGradients(
      (p, t) => bceLoss(p, t),
      [tensor([0.2, 0.7, 0.5]), tensor([1, 0.3, 0])],
      { epsilon: 1e-3 },
    );
    expect(check).toMatchObject({ passed: true });
    const { grads } = valueAndGrad((p) => bceLoss(p, tensor([1, 0, 0, 1])))(tensor([0, 1, 0, 1]));
    expect([...(await grads[0]!.data())].every(Number.isFinite)).toBe(true);
  });
});

describe('bceWithLogitsLoss', () => {
  test('is bceLoss of the sigmoid', async () => {
    const [x, t] = [mul(floats([3, 4], 3), 4), sigmoid(floats([3, 4], 4))];
    const expected = bceLoss(sigmoid(x), t, { reduction: 'none' });
    expect(
      await mismatch(bceWithLogitsLoss(x, t, { reduction: 'none' }), await plain(expected)),
    ).toBeNull();
  });

  test('keeps its digits for large logits', async () => {
    const loss = bceWithLogitsLoss(tensor([-60, 60, 1000, -1000]), tensor([0, 1, 0, 1]), {
      reduction: 'none',
    });
    const data = await loss.data();
    expect(data[0]! / Math.exp(-60)).toBeCloseTo(1, 4);
    expect(data[1]! / Math.exp(-60)).toBeCloseTo(1, 4);
    expect(data[2]).toBe(1000);
    expect(data[3]).toBe(1000);
  });

  test('posWeight multiplies the loss of a yes, by column or by one number', async () => {
    const [x, t] = [floats([2, 3], 3), tensor([1, 0, 1, 0, 1, 1], { shape: [2, 3] })];
    const { data: plainLosses } = await plain(bceWithLogitsLoss(x, t, { reduction: 'none' }));
    const targets = await t.data();
    const weights = [2, 3, 4];
    const weighted = build([2, 3], ([i, j]) => {
      const at = i! * 3 + j!;
      return plainLosses[at]! * (targets[at] === 1 ? weights[j!]! : 1);
    });
    expect(
      await mismatch(
        bceWithLogitsLoss(x, t, { posWeight: tensor(weights), reduction: 'none' }),
        weighted,
      ),
    ).toBeNull();
    const by = (posWeight: number | Tensor): Promise<Plain> =>
      plain(bceWithLogitsLoss(x, t, { posWeight, reduction: 'none' }));
    expect(await by(2)).toEqual(await by(tensor([2])));
  });

  test('gradients and second derivatives agree with finite differences', async () => {
    const options = { posWeight: tensor([3, 1, 2]) };
    const f = (x: Tensor, t: Tensor): Tensor => bceWithLogitsLoss(x, t, options);
    const inputs = [floats([2, 3], 3), sigmoid(floats([2, 3], 4))];
    expect(await checkGradients(f, inputs)).toMatchObject({ passed: true });
    const penalty = valueAndGrad(f);
    const second = await checkGradients((x, t) => sum(square(penalty(x, t).grads[0]!)), inputs);
    expect(second).toMatchObject({ passed: true });
  });
});

describe('klDivLoss', () => {
  test('follows its definition in every reduction; a target of 0 adds nothing', async () => {
    const scores = logSoftmax(floats([2, 3], 3), { axis: 1 });
    const target = tensor([0, 0.25, 0.75, 1, 0, 0], { shape: [2, 3] });
    const [q, t] = [await plain(scores), await plain(target)];
    let total = 0;
    const losses = build([2, 3], ([i, j]) => {
      const p = t.data[i! * 3 + j!]!;
      const loss = p === 0 ? 0 : p * (Math.log(p) - q.data[i! * 3 + j!]!);
      total += loss;
      return loss;
    });
    expect(await mismatch(klDivLoss(scores, target, { reduction: 'none' }), losses)).toBeNull();
    expect(
      await mismatch(klDivLoss(scores, target, { reduction: 'sum' }), number(total)),
    ).toBeNull();
    expect(await mismatch(klDivLoss(scores, target), number(total / 6))).toBeNull();
    expect(
      await mismatch(klDivLoss(scores, target, { reduction: 'batchmean' }), number(total / 2)),
    ).toBeNull();
  });

  test('takes the target as logarithms', async () => {
    const scores = logSoftmax(floats([2, 3], 3), { axis: 1 });
    const target = softmax(floats([2, 3], 4), { axis: 1 });
    const expected = klDivLoss(scores, target, { reduction: 'none' });
    const actual = klDivLoss(scores, log(target), { logTarget: true, reduction: 'none' });
    expect(await mismatch(actual, await plain(expected))).toBeNull();
  });

  test('gradients agree with finite differences, and are finite for targets of 0', async () => {
    const check = await checkGradients(
      (q, t) => klDivLoss(q, t, { reduction: 'sum' }),
      [floats([2, 3], 3), sigmoid(floats([2, 3], 4))],
    );
    expect(check).toMatchObject({ passed: true });
    const { grads } = valueAndGrad((q, t) => klDivLoss(q, t))(floats([3]), tensor([0, 0.5, 0.5]));
    for (const gradient of grads) {
      expect([...(await gradient.data())].every(Number.isFinite)).toBe(true);
    }
  });
});

test('losses leave nothing behind but their results', () => {
  const [x, classes] = [floats([4, 3]), ints([4], [0, 1, 2, 1])];
  const other = sigmoid(floats([4, 3], 2));
  const classWeights = tensor([1, 2, 3]);
  const full = { classWeights, labelSmoothing: 0.1, ignoreIndex: 1 };
  const calls: (() => Tensor)[] = [
    () => crossEntropy(x, classes),
    () => crossEntropy(x, classes, full),
    () => crossEntropy(x, other, { classWeights, labelSmoothing: 0.1 }),
    () => nllLoss(x, classes, { classWeights }),
    () => mseLoss(x, other),
    () => smoothL1Loss(x, other),
    () => bceLoss(other, other),
    () => bceWithLogitsLoss(x, other, { posWeight: 2 }),
    () => klDivLoss(x, other, { reduction: 'batchmean' }),
  ];
  eachIndex([calls.length], ([i]) => expect(leaked(calls[i!]!)).toBe(0));
});
