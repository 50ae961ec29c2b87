// The largest network of a growing family that keeps within what one has.

import {
  BackendError,
  createMeta,
  currentBackend,
  DataError,
  Generator,
  noGrad,
  onBackend,
  scope,
  zeros,
  type Backend,
} from '@convoke/core';
import { summary, type Module } from '@convoke/nn';

import type { BuildOptions } from './architecture.ts';

/** Where several are given, all of them hold. */
export interface Budget {
  /** Trained parameters. */
  readonly params?: number | undefined;
  /** Multiply-adds for one image. */
  readonly macs?: number | undefined;
  /** For one image on `backend`, measured. */
  readonly milliseconds?: number | undefined;
}

/** A network of the family: phi tells how large. */
export interface Scaled {
  /** The side of images in pixels. */
  readonly size: number;
  build(options?: Partial<BuildOptions>): Module;
}

export interface BudgetOptions {
  /** Default 1000. */
  readonly numClasses?: number | undefined;
  /** Default 3. */
  readonly inChannels?: number | undefined;
  /** Nothing larger is looked at. Default 10. */
  readonly maxPhi?: number | undefined;
  /** Where milliseconds are measured. Default: the current backend. */
  readonly backend?: Backend | undefined;
  /** How: of the network `build` makes, for images of `size`. Default: the median of 5 runs after the first, on `backend`. */
  readonly measure?: ((scaled: Scaled) => Promise<number>) | undefined;
}

export interface Fitting {
  readonly phi: number;
  readonly params: number;
  readonly macs: number;
  /** As measured; null where the budget says nothing of time. */
  readonly milliseconds: number | null;
}

const LIMITS = ['params', 'macs', 'milliseconds'] as const;
const UNITS: Readonly<Record<keyof Budget, string>> = {
  params: 'parameters',
  macs: 'multiply-adds',
  milliseconds: 'milliseconds',
};

/** Steps of phi in 1. */
const STEPS = 100;
const RUNS = 5;

type Layout = Pick<BuildOptions, 'numClasses' | 'inChannels'>;

/** A network on `backend` to count or to time; its initial values are not drawn from the generator that others share. */
function made({ build }: Scaled, layout: Layout, backend: Backend): Module {
  return onBackend(backend, () => build({ ...layout, generator: new Generator(0) })).eval();
}

/** Milliseconds for one image; infinite where the backend's memory is too small. */
async function timeOf(scaled: Scaled, layout: Layout, backend: Backend): Promise<number> {
  const shape = [1, layout.inChannels, scaled.size, scaled.size];
  let model: Module | undefined;
  try {
    model = made(scaled, layout, backend);
    const times: number[] = [];
    for (let i = 0; i <= RUNS; i++) {
      const start = performance.now();
      const logits = scope(() => noGrad(() => model!.forward(zeros(shape, { backend }))));
      await logits.data();
      times.push(performance.now() - start);
      logits.dispose();
    }
    return times.slice(1).toSorted((a, b) => a - b)[RUNS >> 1]!;
  } catch (error) {
    if (error instanceof BackendError && error.code === 'backend-memory') return Infinity;
    throw error;
  } finally {
    model?.dispose();
  }
}

function expectBudget(what: string, budget: Budget, maxPhi: number): void {
  const given = LIMITS.filter((limit) => budget[limit] !== undefined);
  if (given.length === 0) {
    throw new DataError(`${what}: a budget has ${LIMITS.join(', ')}, or some of them; got none`);
  }
  for (const limit of given) {
    const value = budget[limit]!;
    if (!(value > 0))
      throw new DataError(`${what}: ${limit} must be a number above 0, got ${value}`);
  }
  if (!(maxPhi >= 0 && maxPhi <= 20))
    throw new DataError(`${what}: maxPhi must be a number from 0 to 20, got ${maxPhi}`);
}

interface Cost extends Fitting {
  /** The first limit that is passed, or null. */
  readonly over: keyof Budget | null;
}

function compared(cost: Fitting, budget: Budget): Cost {
  const over = LIMITS.find((limit) => (cost[limit] ?? 0) > (budget[limit] ?? Infinity));
  return { ...cost, over: over ?? null };
}

/**
 * The largest phi, in steps of 0.01 up to `maxPhi`, whose network keeps within the budget; networks must grow with phi. Throws
 * a DataError, which says what the smallest takes, where that is too much. `what` is what errors call the function.
 */
export async function largestWithin(
  what: string,
  scalingOf: (phi: number) => Scaled,
  budget: Budget,
  options: BudgetOptions,
): Promise<Fitting> {
  const { maxPhi = 10, numClasses = 1000, inChannels = 3 } = options;
  expectBudget(what, budget, maxPhi);
  const layout = { numClasses, inChannels };
  const { measure = (scaled) => timeOf(scaled, layout, options.backend ?? currentBackend()) } =
    options;
  const meta = createMeta();

  /** Time is not measured where counts alone are too much. */
  const costOf = async (step: number): Promise<Cost> => {
    const phi = step / STEPS;
    const scaled = scalingOf(phi);
    const model = made(scaled, layout, meta);
    const counts = summary(model, [1, inChannels, scaled.size, scaled.size]);
    model.dispose();
    const { parameters: params, macs } = counts;
    const counted = compared({ phi, params, macs, milliseconds: null }, budget);
    if (counted.over !== null || budget.milliseconds === undefined) return counted;
    return compared({ phi, params, macs, milliseconds: await measure(scaled) }, budget);
  };

  let best = await costOf(0);
  if (best.over !== null) {
    throw new DataError(
      `${what}: the smallest network has ${best[best.over]} ${UNITS[best.over]}, the budget is ${budget[best.over]}`,
    );
  }
  const fits = async (step: number): Promise<boolean> => {
    const cost = await costOf(step);
    if (cost.over === null) best = cost;
    return cost.over === null;
  };
  // What is at `low` fits; what is at `bound` does not, or is beyond maxPhi.
  const beyond = Math.floor(maxPhi * STEPS + 1e-9) + 1;
  let [low, bound] = [0, Math.min(STEPS, beyond)];
  while (bound < beyond && (await fits(bound))) [low, bound] = [bound, Math.min(2 * bound, beyond)];
  while (bound - low > 1) {
    const middle = (low + bound) >> 1;
    if (await fits(middle)) low = middle;
    else bound = middle;
  }
  const { over: _, ...fitting } = best;
  return fitting;
}
