// Gradients against finite differences, for those who write ops, losses or backends.

import { DataError, type Data } from '@convoke/backend-api';

import { fromHost } from '../creation.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { valueAndGrad } from './backward.ts';

export interface GradientCheck {
  readonly passed: boolean;
  /** Largest |analytic - numeric| / max(1, |numeric|). */
  readonly worstError: number;
  /** Where: argument and flat index. */
  readonly argument: number;
  readonly index: number;
}

export interface GradientCheckOptions {
  /** Step of the central difference. Default 1e-2, which suits float32. */
  readonly epsilon?: number;
  /** Default 1e-2. */
  readonly tolerance?: number;
}

/** Compares the gradients of `f` (float32 arguments, a result of one element) with central differences. */
export async function checkGradients(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradientCheckOptions = {},
): Promise<GradientCheck> {
  const { epsilon = 1e-2, tolerance = 1e-2 } = options;
  if (!(epsilon > 0 && epsilon < Infinity) || !(tolerance >= 0)) {
    throw new DataError(
      `checkGradients: expected epsilon > 0 and tolerance >= 0, got ${epsilon} and ${tolerance}`,
    );
  }
  if (inputs.some(({ dtype }) => dtype !== 'float32')) {
    throw new DataError('checkGradients: expected float32 arguments');
  }
  const { value, grads } = valueAndGrad(f)(...inputs);
  // Reads come before releases: what is read is the value at the call.
  const reads = grads.map((gradient) => gradient.data());
  for (const tensor of [value, ...grads]) tensor.dispose();
  const analytic = await Promise.all(reads);
  const values = await Promise.all(inputs.map((input) => input.data()));

  const evaluate = (argument: number, changed: Data): Promise<number> => {
    const { read } = scope(() => {
      const changedInputs = inputs.map((input, i) =>
        i === argument ? fromHost(input.spec, changed, input.backend) : input,
      );
      // Begun before the scope frees what is read. What `f` gives back may be an argument of the user's: it is not disposed here.
      return { read: f(...changedInputs).item() };
    });
    return read;
  };

  let worst = { worstError: 0, argument: 0, index: 0 };
  for (const [argument, data] of values.entries()) {
    for (let index = 0; index < data.length; index++) {
      const nudged = async (step: number): Promise<number> => {
        const changed = data.slice();
        changed[index] = data[index]! + step;
        return evaluate(argument, changed);
      };
      const numeric = ((await nudged(epsilon)) - (await nudged(-epsilon))) / (2 * epsilon);
      const error =
        Math.abs(analytic[argument]![index]! - numeric) / Math.max(1, Math.abs(numeric));
      const worstError = Number.isNaN(error) ? Infinity : error;
      if (worstError > worst.worstError) worst = { worstError, argument, index };
    }
  }
  return { passed: worst.worstError <= tolerance, ...worst };
}
