import { current, isConvokeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  add,
  argmax,
  backward,
  cumsum,
  DataError,
  flatten,
  globalAvgPool2d,
  linear,
  max,
  mean,
  relu,
  softmax,
  sort,
  split,
  sum,
  tensor,
  valueAndGrad,
  type Tensor,
} from '../src/index.ts';
import { useJs } from './lab.ts';

beforeAll(useJs);

const passed = (value: unknown): Tensor => value as Tensor;

describe('what is passed in a tensor’s place', () => {
  it.each([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 3, 'a number'],
    ['an array', [1, 2], 'an array'],
    ['an object', {}, 'an object'],
  ])('%s is named with the op and the remedy', (_, value, kind) => {
    expect(() => relu(passed(value))).toThrow(DataError);
    expect(() => relu(passed(value))).toThrow(
      new RegExp(`^relu: input 0 is ${kind}; expected a tensor, make one with tensor`),
    );
  });

  it.each([
    ['sum', sum],
    ['mean', mean],
    ['max', max],
    ['argmax', argmax],
    ['cumsum', cumsum],
    ['sort', sort],
    ['softmax', softmax],
    ['flatten', flatten],
    ['globalAvgPool2d', globalAvgPool2d],
    ['split', (x: Tensor) => split(x, { sections: 2 })],
    ['linear', (x: Tensor) => linear(x, x)],
  ])('is named by %s, which looks at its shape first', (name, op) => {
    for (const value of [undefined, [1, 2]]) {
      const call = (): unknown => op(passed(value));
      expect(call).toThrow(DataError);
      expect(call).toThrow(new RegExp(`^${name}: .* is (undefined|an array); expected a tensor`));
    }
  });

  it('a promise is to be awaited', async () => {
    const x = tensor([1]);
    const moving = x.to(current());
    expect(() => relu(passed(moving))).toThrow(/^relu: input 0 is a promise.*await it/);
    (await moving).dispose();
    x.dispose();
  });

  it('beside a number, as a loss and as the result of a function it is named too', () => {
    expect(() => add(passed(undefined), 1)).toThrow(/^add: an operand is undefined/);
    expect(() => backward(passed(1))).toThrow(/^backward: the result is a number/);
    const x = tensor([1]);
    const broken = valueAndGrad(() => passed(1));
    expect(() => broken(x)).toThrow(/^valueAndGrad: the function's result is a number/);
    x.dispose();
  });

  it('is a mistake of the user’s, told as one', () => {
    let caught: unknown;
    try {
      relu(passed('x'));
    } catch (error) {
      caught = error;
    }
    expect(isConvokeError(caught)).toBe(true);
  });
});
