// Gradient clipping: by the norm over all gradients, or by value. Call between backward and the optimiser's step.

import {
  add,
  clamp,
  DataError,
  div,
  minimum,
  mul,
  noGrad,
  norm,
  reshape,
  scope,
  stack,
  zeros,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { namedSlots, type ParameterList } from './optimizers/groups.ts';

export interface ClipNormOptions {
  /** The largest norm that gradients keep. */
  readonly maxNorm: number;
  /** 2, 1, Infinity or any number above 0. Default 2. */
  readonly normType?: number | undefined;
}

export interface ClipValueOptions {
  /** Gradients are clamped to [-clipValue, clipValue]. */
  readonly clipValue: number;
}

function gradientsOf(parameters: ParameterList): Slot[] {
  const gradients = namedSlots(parameters).map(([, slot]) => slot.grad);
  return gradients.filter((gradient) => gradient !== null);
}

function expectPositive(where: string, name: string, value: number): void {
  if (!(value > 0))
    throw new DataError(`${where}: ${name} must be a number above 0, got ${String(value)}`);
}

/**
 * Scales all gradients of `parameters` by one factor, so that their norm, taken as if they were one vector, is at most
 * `maxNorm` (Pascanu et al. 2012, arXiv:1211.5063). Returns the norm before clipping, a scalar; it is not waited for.
 * Parameters without gradient are passed over; without any gradient the norm is 0.
 */
export function clipGradNorm(parameters: ParameterList, options: ClipNormOptions): Tensor {
  const { maxNorm, normType = 2 } = options;
  expectPositive('clipGradNorm', 'maxNorm', maxNorm);
  expectPositive('clipGradNorm', 'normType', normType);
  return noGrad(() =>
    scope(() => {
      const gradients = gradientsOf(parameters);
      if (gradients.length === 0) return zeros([]);
      const norms = gradients.map((gradient) => norm(reshape(gradient, [-1]), { p: normType }));
      const total = norm(stack(norms), { p: normType });
      const factor = minimum(div(maxNorm, add(total, 1e-6)), 1);
      for (const gradient of gradients) gradient.assign(mul(gradient, factor));
      return total;
    }),
  );
}

/** Clamps every element of the gradients of `parameters` to [-clipValue, clipValue]. */
export function clipGradValue(parameters: ParameterList, { clipValue }: ClipValueOptions): void {
  expectPositive('clipGradValue', 'clipValue', clipValue);
  noGrad(() =>
    scope(() => {
      for (const gradient of gradientsOf(parameters)) {
        gradient.assign(clamp(gradient, { min: -clipValue, max: clipValue }));
      }
    }),
  );
}
