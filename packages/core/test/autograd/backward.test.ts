import { beforeAll, describe, expect, it } from 'vitest';

import {
  add,
  backward,
  checkGradients,
  concat,
  DataError,
  detach,
  DtypeError,
  enableGrad,
  exp,
  grad,
  isGradEnabled,
  matmul,
  mean,
  mul,
  noGrad,
  parameter,
  scope,
  ShapeError,
  sin,
  square,
  sub,
  sum,
  tanh,
  tensor,
  valueAndGrad,
  type Slot,
  type Tensor,
} from '../../src/index.ts';
import { floats, useJs, watchHandles } from '../lab.ts';

beforeAll(useJs);

watchHandles();

async function values(x: Tensor | null): Promise<number[]> {
  return [...(await x!.data())];
}

/** Runs `f` with a parameter, which is disposed after. */
async function withParameter(data: number[], f: (w: Slot) => unknown): Promise<void> {
  const w = parameter(tensor(data));
  try {
    await f(w);
  } finally {
    w.dispose();
  }
}

describe('backward', () => {
  it('follows a chain of ops', () =>
    withParameter([0.5, -1], async (w) => {
      scope(() => backward(sum(exp(mul(square(w), 2)))));
      const expected = [0.5, -1].map((x) => 4 * x * Math.exp(2 * x * x));
      const got = await values(w.grad);
      got.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 4));
    }));

  it('adds up where a value is used more than once', () =>
    withParameter([3], async (w) => {
      scope(() => backward(sum(add(mul(w, w), concat([w, w, w])))));
      // 3 * w^2 broadcast over three elements, plus w three times.
      expect(await values(w.grad)).toEqual([3 * 6 + 3]);
    }));

  it('accumulates over passes until the gradient is cleared', () =>
    withParameter([2], async (w) => {
      const pass = (): void => scope(() => backward(sum(square(w))));
      pass();
      pass();
      expect(await values(w.grad)).toEqual([8]);
      w.clearGrad();
      expect(w.grad).toBeNull();
      pass();
      expect(await values(w.grad)).toEqual([4]);
    }));

  it('takes the gradient of a result of any shape', () =>
    withParameter([1, 2], async (w) => {
      scope(() => backward(square(w), tensor([10, 100])));
      expect(await values(w.grad)).toEqual([20, 400]);
    }));

  it('gives a parameter that is the result itself the gradient 1', () =>
    withParameter([7], async (w) => {
      backward(w);
      expect(await values(w.grad)).toEqual([1]);
    }));

  it('stops at detached values and at frozen parameters', () =>
    withParameter([3], async (w) => {
      const frozen = parameter(tensor([5]));
      frozen.setRequiresGrad(false);
      scope(() => backward(sum(mul(mul(w, detach(w)), frozen))));
      expect(await values(w.grad)).toEqual([15]);
      expect(frozen.grad).toBeNull();
      frozen.dispose();
    }));

  it('walks a deep chain without overflowing the stack', () =>
    withParameter([1], async (w) => {
      scope(() => {
        let y: Tensor = w;
        for (let i = 0; i < 5000; i++) y = add(y, w);
        backward(sum(y));
      });
      expect(await values(w.grad)).toEqual([5001]);
    }));

  it('refuses to walk a graph twice unless told to keep it', () =>
    withParameter([2], async (w) => {
      scope(() => {
        const loss = sum(square(w));
        backward(loss);
        expect(() => backward(loss)).toThrow(/retainGraph/);
        expect(() => backward(loss)).toThrow(DataError);
      });
      w.clearGrad();
      scope(() => {
        const loss = sum(square(w));
        backward(loss, undefined, { retainGraph: true });
        backward(loss);
      });
      expect(await values(w.grad)).toEqual([8]);
    }));

  it('leaves nothing behind when it fails on the way', () =>
    withParameter([2], (w) => {
      scope(() => {
        const inner = square(w);
        const first = sum(inner);
        const second = sum(exp(inner));
        backward(first);
        expect(() => backward(second)).toThrow(/'square'/);
      });
    }));

  it('says why a result has no gradient', () => {
    scope(() => {
      const a = tensor([1]);
      expect(() => backward(a)).toThrow(/no parameter/);
      expect(() => backward(noGrad(() => square(a)))).toThrow(DataError);
    });
  });

  it('asks for one number, or a gradient like the result', () =>
    withParameter([1, 2], (w) => {
      scope(() => {
        expect(() => backward(square(w))).toThrow(ShapeError);
        expect(() => backward(square(w), tensor([1, 2, 3]))).toThrow(/\[3\].*\[2\]/);
        expect(() => backward(square(w), tensor([1, 2], { dtype: 'int32' }))).toThrow(/int32/);
      });
    }));

  it('names itself where the result is disposed', () =>
    withParameter([1], (w) => {
      const loss = scope(() => sum(square(w)));
      loss.dispose();
      expect(() => backward(loss)).toThrow(/^backward: .*disposed/);
    }));

  it('takes the value that an op saw, though the parameter changed since', () =>
    withParameter([3], async (w) => {
      const loss = scope(() => sum(square(w)));
      w.assign(tensor([100]));
      backward(loss);
      loss.dispose();
      expect(await values(w.grad)).toEqual([6]);
    }));
});

describe('parameters', () => {
  it('are float32', () => {
    const whole = tensor([1], { dtype: 'int32' });
    expect(() => parameter(whole)).toThrow(DtypeError);
    whole.dispose();
  });
});

const penalty = ([a, b]: number[]): number =>
  (a! * (1 - Math.tanh(a!) ** 2)) ** 2 + (b! * (1 - Math.tanh(2 * b!) ** 2)) ** 2;

describe('grad', () => {
  it('gives gradients without touching those of parameters', () =>
    withParameter([2, 3], async (w) => {
      const [slope] = scope(() => grad(sum(square(w)), [w]));
      expect(await values(slope!)).toEqual([4, 6]);
      expect(w.grad).toBeNull();
      slope!.dispose();
    }));

  it('reaches values on the way and gives unrelated inputs zeros', () =>
    withParameter([2], async (w) => {
      const unrelated = parameter(tensor([[1, 2]]));
      const slopes = scope(() => {
        const inner = square(w);
        return grad(sum(exp(inner)), [inner, unrelated]);
      });
      expect((await values(slopes[0]!))[0]).toBeCloseTo(Math.exp(4), 3);
      expect(slopes[1]!.shape).toEqual([1, 2]);
      expect(await values(slopes[1]!)).toEqual([0, 0]);
      for (const each of [...slopes, unrelated]) each.dispose();
    }));

  it('names an input that requires no gradient', () =>
    withParameter([2], (w) => {
      scope(() => {
        expect(() => grad(sum(w), [w, tensor([1, 2])])).toThrow(/input 1 of shape \[2\]/);
      });
    }));

  it('is differentiated again where asked', () =>
    withParameter([2], async (w) => {
      const third = scope(() => {
        const y = sum(mul(square(w), square(w)));
        const [first] = grad(y, [w], { createGraph: true });
        const [second] = grad(sum(first!), [w], { createGraph: true });
        return grad(sum(second!), [w])[0]!;
      });
      // w^4: its third derivative is 24 w.
      expect(await values(third)).toEqual([48]);
      third.dispose();
    }));

  it('works within a penalty that is trained on (double backward)', () =>
    withParameter([0.5, -0.3], async (w) => {
      scope(() => {
        const x = parameter(tensor([1, 2]));
        const [slope] = grad(sum(tanh(mul(w, x))), [x], { createGraph: true });
        backward(sum(square(slope!)));
        x.dispose();
      });
      const at = [0.5, -0.3];
      const got = await values(w.grad);
      for (const i of [0, 1]) {
        const [up, down] = [1e-5, -1e-5].map((step) =>
          penalty(at.map((v, j) => (i === j ? v + step : v))),
        );
        expect(got[i]).toBeCloseTo((up! - down!) / 2e-5, 4);
      }
    }));
});

const slope = (a: Tensor): Tensor => valueAndGrad((b) => sum(sin(b)))(a).grads[0]!;

const late = async (a: Tensor): Promise<Tensor> => square(a);

describe('valueAndGrad', () => {
  it('gives the value and the gradient of each argument', async () => {
    const [a, b] = [floats([2, 2], [1, 2, 3, 4]), floats([2, 2], [5, 6, 7, 8])];
    const { value, grads } = valueAndGrad((x, y) => sum(matmul(x, y)))(a, b);
    expect(await value.item()).toBe(19 + 22 + 43 + 50);
    expect(await values(grads[0]!)).toEqual([11, 15, 11, 15]);
    expect(await values(grads[1]!)).toEqual([4, 4, 6, 6]);
    expect(value.requiresGrad).toBe(false);
    for (const each of [a, b, value, ...grads]) each.dispose();
  });

  it('nests: the gradient of a gradient', async () => {
    const x = tensor([0.7]);
    const { value, grads } = scope(() => valueAndGrad((a) => sum(slope(a)))(x));
    expect(await value.item()).toBeCloseTo(Math.cos(0.7), 6);
    expect(await grads[0]!.item()).toBeCloseTo(-Math.sin(0.7), 6);
    for (const each of [x, value, ...grads]) each.dispose();
  });

  it('takes the same tensor twice and a function that returns its argument', async () => {
    const x = tensor([3]);
    const product = valueAndGrad((a, b) => sum(mul(a, square(b))))(x, x);
    expect(await values(product.grads[0]!)).toEqual([9]);
    expect(await values(product.grads[1]!)).toEqual([18]);
    const identity = valueAndGrad((a) => a)(x);
    expect(await values(identity.grads[0]!)).toEqual([1]);
    identity.value.dispose();
    expect(await values(x)).toEqual([3]);
    for (const { value, grads } of [product, identity])
      for (const each of [value, ...grads]) each.dispose();
    x.dispose();
  });

  it('leaves nothing behind when the function throws or is async', () => {
    const x = tensor([3]);
    const fail = valueAndGrad((a) => {
      square(a);
      throw new Error('mine');
    });
    expect(() => fail(x)).toThrow('mine');
    expect(() => valueAndGrad(late as unknown as (a: Tensor) => Tensor)(x)).toThrow(/async/);
    expect(() => valueAndGrad((a) => square(concat([a, a])))(x)).toThrow(ShapeError);
    x.dispose();
  });

  it('works within noGrad', async () => {
    const x = tensor([3]);
    const { value, grads } = noGrad(() => valueAndGrad((a) => sum(square(a)))(x));
    expect(await values(grads[0]!)).toEqual([6]);
    for (const each of [x, value, ...grads]) each.dispose();
  });
});

describe('noGrad and enableGrad', () => {
  it('hold while their function runs, also when it throws', () =>
    withParameter([1], (w) => {
      scope(() => {
        expect(noGrad(() => square(w)).requiresGrad).toBe(false);
        expect(noGrad(() => enableGrad(() => square(w))).requiresGrad).toBe(true);
        expect(() =>
          noGrad(() => {
            throw new Error('mine');
          }),
        ).toThrow('mine');
        expect(isGradEnabled()).toBe(true);
      });
    }));

  it('reject async functions', () => {
    expect(() => noGrad(async () => 1)).toThrow(/^noGrad: .*async/);
    expect(() => enableGrad(() => Promise.reject(new Error('unheard')))).toThrow(DataError);
    expect(isGradEnabled()).toBe(true);
  });
});

// Its gradient with respect to the second element of y is half of what it should be.
const wrong = (a: Tensor, b: Tensor): Tensor => {
  const half = mul(b, tensor([1, 0.5, 1]));
  const rest = detach(sub(b, half));
  return sum(mul(a, add(half, rest)));
};

describe('checkGradients', () => {
  it('passes a right gradient', async () => {
    const x = floats([2, 3], 3);
    expect(await checkGradients((a) => mean(tanh(a)), [x])).toMatchObject({ passed: true });
    x.dispose();
  });

  it('finds a planted wrong gradient and says where', async () => {
    const [x, y] = [tensor([1, 2, 3]), tensor([1, 1, 1])];
    const check = await checkGradients(wrong, [x, y]);
    expect(check).toMatchObject({ passed: false, argument: 1, index: 1 });
    expect(check.worstError).toBeCloseTo(0.5, 2);
    x.dispose();
    y.dispose();
  });

  it('counts a gradient that is NaN as wrong', async () => {
    const x = tensor([0.5]);
    const check = await checkGradients((a) => sum(mul(detach(a), mul(a, NaN))), [x]);
    expect(check.passed).toBe(false);
    x.dispose();
  });

  it('leaves its arguments whole, also where the function gives one of them back', async () => {
    const [x, y] = [tensor([1]), tensor([2])];
    expect(await checkGradients((a) => a, [x, y])).toMatchObject({ passed: true });
    expect([x.disposed, y.disposed]).toEqual([false, false]);
    x.dispose();
    y.dispose();
  });

  it('refuses a step that is none', async () => {
    const x = tensor([1]);
    await expect(checkGradients((a) => sum(a), [x], { epsilon: 0 })).rejects.toThrow(/epsilon > 0/);
    x.dispose();
  });

  it('takes float32 arguments only', async () => {
    const x = tensor([1], { dtype: 'int32' });
    await expect(checkGradients((a) => a, [x])).rejects.toThrow(DataError);
    x.dispose();
  });
});
