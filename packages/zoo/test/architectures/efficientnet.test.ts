import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { workers } from '@convoke/backend-workers';
import { createMeta, current, onBackend, register, use } from '@convoke/core';
import { summary } from '@convoke/nn';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  compoundScaling,
  scaleToBudget,
  type Budget,
  type Scaled,
} from '../../src/architectures/efficientnet.ts';
import type { GoldenNetwork } from '../../src/golden.ts';
import { modelInfo } from '../../src/index.ts';

const meta = createMeta();

/** Parameters and multiply-adds at phi, counted anew. */
function countsAt(phi: number): { params: number; macs: number } {
  const { size, build } = compoundScaling(phi);
  const model = onBackend(meta, () => build());
  const { parameters: params, macs } = summary(model, [1, 3, size, size]);
  model.dispose();
  return { params, macs };
}

beforeAll(async () => {
  register(workers);
  await use('workers');
});

describe('compoundScaling', () => {
  it('is EfficientNet-B0 at 0', async () => {
    const { params, macs } = await modelInfo('efficientnet_b0');
    expect(countsAt(0)).toEqual({ params, macs });
  });

  it('with 1 more has the layers and channels of B2, whose resolution alone was rounded by hand', () => {
    const model = onBackend(meta, () => compoundScaling(1).build());
    const shapes = [...model.stateDict()].map(([name, { shape }]) => [name, shape]);
    const file = new URL('../fixtures/zoo/efficientnet_b2.json.gz', import.meta.url);
    const { state_dict: torchvisions } = JSON.parse(
      gunzipSync(readFileSync(file)).toString(),
    ) as GoldenNetwork;
    expect(shapes).toEqual(torchvisions);
    model.dispose();
  });

  it('about doubles the multiply-adds with 1 more, and never takes fewer', () => {
    let before = countsAt(0);
    for (let phi = 0.25; phi <= 3; phi += 0.25) {
      const counts = countsAt(phi);
      expect(counts.params).toBeGreaterThanOrEqual(before.params);
      expect(counts.macs).toBeGreaterThanOrEqual(before.macs);
      before = counts;
    }
    // alpha beta^2 gamma^2 = 1.2 * 1.1^2 * 1.15^2; layers are rounded up.
    expect(before.macs / countsAt(0).macs / 1.92 ** 3).toBeGreaterThan(0.9);
    expect(before.macs / countsAt(0).macs / 1.92 ** 3).toBeLessThan(1.5);
  });

  it.each([-1, Number.NaN, Infinity])('takes no phi of %d', (phi) => {
    expect(() => compoundScaling(phi)).toThrow(new RegExp(`phi.*at least 0.*${phi}`));
  });
});

describe('scaleToBudget', () => {
  const budgets: Budget[] = [
    { macs: 400e6 },
    { macs: 1e9 },
    { params: 6e6 },
    { params: 20e6 },
    { params: 20e6, macs: 1e9 },
    { params: 6e6, macs: 5e9 },
  ];
  it.each(budgets)('fits %o, and 0.01 more does not', async (budget) => {
    const { phi, params, macs, milliseconds, size } = await scaleToBudget(budget);
    const within = (counts: { params: number; macs: number }): boolean =>
      counts.params <= (budget.params ?? Infinity) && counts.macs <= (budget.macs ?? Infinity);
    expect(within({ params, macs })).toBe(true);
    expect(within(countsAt(phi + 0.01))).toBe(false);
    expect({ params, macs }).toEqual(countsAt(phi));
    expect(size).toBe(compoundScaling(phi).size);
    expect(milliseconds).toBeNull();
  });

  it('counts the classes and channels that are asked for', async () => {
    const budget = { params: 9e6 };
    const few = await scaleToBudget(budget, { numClasses: 10, inChannels: 1 });
    expect(few.phi).toBeGreaterThan((await scaleToBudget(budget)).phi);
    const model = onBackend(meta, () => few.build({ numClasses: 10, inChannels: 1 }));
    expect(summary(model, [1, 1, few.size, few.size]).parameters).toBe(few.params);
  });

  it('goes no further than maxPhi', async () => {
    expect((await scaleToBudget({ macs: 1e15 }, { maxPhi: 0.5 })).phi).toBe(0.5);
    expect((await scaleToBudget({ macs: 1e15 }, { maxPhi: 0 })).phi).toBe(0);
  });

  it('finds the largest by time where time grows with the size of images', async () => {
    const asked: number[] = [];
    const measure = async ({ size }: Scaled): Promise<number> => {
      asked.push(size);
      return size / 10;
    };
    const { phi, size, milliseconds } = await scaleToBudget({ milliseconds: 30 }, { measure });
    expect(size).toBe(300);
    expect(milliseconds).toBe(30);
    expect(compoundScaling(phi + 0.01).size).toBeGreaterThan(300);
    expect(asked.length).toBeLessThan(15);
    // What passes a count is not measured.
    asked.length = 0;
    await scaleToBudget({ milliseconds: 1000, macs: 1e9 }, { measure });
    expect(Math.max(...asked)).toBeLessThan(300);
  });

  it('measures on the backend, and leaves nothing there', async () => {
    const { handles } = current().memory();
    const { milliseconds } = await scaleToBudget({ milliseconds: 60_000 }, { maxPhi: 0 });
    expect(milliseconds).toBeGreaterThan(1);
    await expect(scaleToBudget({ milliseconds: 1e-3 })).rejects.toThrow(
      /smallest network has [\d.]+ milliseconds, the budget is 0.001/,
    );
    expect(current().memory().handles).toBe(handles);
  });

  it.each([
    [{ params: 1e6 }, /smallest network has 5288548 parameters, the budget is 1000000/],
    [{ macs: 1e6 }, /smallest network has 385814752 multiply-adds, the budget is 1000000/],
    [{}, /params, macs, milliseconds/],
    [{ macs: -1 }, /macs.*-1/],
    [{ milliseconds: Number.NaN }, /milliseconds.*NaN/],
  ] as const)('says what is wrong with %o', async (budget, message) => {
    await expect(scaleToBudget(budget)).rejects.toThrow(message);
  });

  it('takes no maxPhi that networks cannot be built for', async () => {
    await expect(scaleToBudget({ macs: 1e9 }, { maxPhi: -1 })).rejects.toThrow(/maxPhi.*-1/);
  });
});
