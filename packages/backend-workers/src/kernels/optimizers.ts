// One step of an optimiser over a whole list of parameters. Outputs may be the inputs they replace. The numbers that vary
// from step to step are read from memory: rank-0 float32 at the addresses given.

import { f32, type Encoder } from '../encoder.ts';
import { cut } from './cut.ts';

export interface SgdParameter {
  /** Addresses, all of `count` float32. */
  readonly parameter: number;
  readonly gradient: number;
  /** Absent without velocities, as `velocityOut`. */
  readonly velocity?: number;
  readonly count: number;
  readonly parameterOut: number;
  readonly velocityOut?: number;
}

export interface SgdStep {
  readonly lr: number;
  /** Address; 0 without velocities. */
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly parameters: readonly SgdParameter[];
}

export interface AdamParameter {
  /** Addresses, all of `count` float32. */
  readonly parameter: number;
  readonly gradient: number;
  readonly m: number;
  readonly v: number;
  readonly count: number;
  readonly parameterOut: number;
  readonly mOut: number;
  readonly vOut: number;
}

export interface AdamStep {
  readonly lr: number;
  readonly stepSize: number;
  readonly root: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly decoupled: boolean;
  readonly parameters: readonly AdamParameter[];
}

/** Parameters a command. */
const MOST = 128;

/**
 * Chunks are stretches of all parameters laid end to end, each rounded up to 16 elements: a list of many small parameters
 * is as well balanced as one large one. Words: common ones, then for each parameter its end on that line, its length and
 * its addresses.
 */
function planList<T extends { readonly count: number }>(
  e: Encoder,
  kernel: 'sgdStep' | 'adamStep',
  common: readonly number[],
  parameters: readonly T[],
  addresses: (parameter: T) => number[],
): void {
  for (let first = 0; first < parameters.length; first += MOST) {
    const entries: number[] = [];
    let end = 0;
    for (const parameter of parameters.slice(first, first + MOST)) {
      end += Math.ceil(parameter.count / 16) * 16;
      entries.push(end, parameter.count, ...addresses(parameter));
    }
    const { chunks, perChunk } = cut(e, end, 16384, 16);
    e.emit(kernel, end === 0 ? 0 : chunks, [end, perChunk, ...common, ...entries]);
  }
}

export function planSgdStep(e: Encoder, plan: SgdStep): void {
  const { lr, momentum, dampening, nesterov, weightDecay, parameters } = plan;
  const common = [lr, momentum, f32(1 - dampening), Number(nesterov), f32(weightDecay)];
  planList(e, 'sgdStep', common, parameters, (one) => {
    const { parameter, gradient, velocity = 0, parameterOut, velocityOut = 0 } = one;
    return [parameter, gradient, velocity, parameterOut, velocityOut];
  });
}

export function planAdamStep(e: Encoder, plan: AdamStep): void {
  const { lr, stepSize, root, beta1, beta2, epsilon, weightDecay, decoupled, parameters } = plan;
  const common = [
    lr,
    stepSize,
    root,
    beta1,
    f32(beta2),
    f32(1 - beta2),
    f32(epsilon),
    f32(weightDecay),
    Number(decoupled),
  ];
  planList(e, 'adamStep', common, parameters, (one) => {
    const { parameter, gradient, m, v, parameterOut, mOut, vOut } = one;
    return [parameter, gradient, m, v, parameterOut, mOut, vOut];
  });
}
