import { js } from '@convoke/backend-js';
import { buffer, memory, parameter, register, tensor, use, type Slot } from '@convoke/core';
import { beforeEach, describe, expect, it } from 'vitest';

import { clipGradNorm, clipGradValue } from '../src/clip.ts';
import { recognize } from '../src/golden.ts';
import { goldenCases } from './golden-cases.ts';

function withGradient(gradient: number[]): Slot {
  const slot = parameter(tensor(gradient.map(() => 0)));
  slot.grad = buffer(tensor(gradient));
  return slot;
}

beforeEach(async () => {
  register(js);
  await use('js');
});

describe('clipGradNorm', () => {
  const cases = goldenCases('misc').filter(({ attrs }) => attrs['op'] === 'clip_grad_norm');

  it.each(cases)('$id: $attrs is as in PyTorch', async (case_) => {
    const { tensors } = await recognize(case_)!(await use('js'));
    expect(tensors.map(({ name }) => name)).toEqual(['total_norm', 'g0', 'g1']);
    for (const { error, tolerance } of tensors) expect(error).toBeLessThanOrEqual(tolerance);
  });

  it('leaves a short gradient as it is, to the bit', async () => {
    const slot = withGradient([0.3, 0.4]);
    const norm = clipGradNorm([slot], { maxNorm: 1 });
    expect(await norm.item()).toBeCloseTo(0.5, 6);
    expect([...(await slot.grad!.data())]).toEqual([Math.fround(0.3), Math.fround(0.4)]);
  });

  it('passes over parameters without gradient, and gives 0 where there is none at all', async () => {
    const bare = parameter(tensor([1]));
    const slot = withGradient([3, 4]);
    expect(await clipGradNorm([bare, slot], { maxNorm: 10 }).item()).toBe(5);
    expect(await clipGradNorm(new Map([['bare', bare]]), { maxNorm: 10 }).item()).toBe(0);
  });

  it('leaves nothing behind but the norm', () => {
    const slots = [withGradient([3, 4]), withGradient([5])];
    const before = memory().handles;
    clipGradNorm(slots, { maxNorm: 1 }).dispose();
    expect(memory().handles).toBe(before);
  });

  it('refuses a norm that is none', () => {
    expect(() => clipGradNorm([], { maxNorm: 0 })).toThrow(/maxNorm must be a number above 0/);
    expect(() => clipGradNorm([], { maxNorm: 1, normType: -1 })).toThrow(/normType/);
  });
});

describe('clipGradValue', () => {
  it('clamps each element', async () => {
    const slots = [withGradient([-3, 0.5]), withGradient([2])];
    clipGradValue(slots, { clipValue: 1 });
    expect([...(await slots[0]!.grad!.data())]).toEqual([-1, 0.5]);
    expect(await slots[1]!.grad!.item()).toBe(1);
  });

  it('refuses a bound that is none', () => {
    expect(() => clipGradValue([], { clipValue: NaN })).toThrow(/clipValue/);
  });
});
