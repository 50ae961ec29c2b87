import { DtypeError, ShapeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  bceLoss,
  bceWithLogitsLoss,
  checkGradients,
  crossEntropy,
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
  type Tensor,
} from '../src/index.ts';
import {
  build,
  eachIndex,
  mismatch,
  floats,
  ints,
  number,
  leaked,
  plain,
  useJs,
  type Plain,
} from './images.ts';

beforeAll(useJs);

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
