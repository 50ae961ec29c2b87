// Runs golden cases of optimisers, schedules and gradient clipping: PyTorch's trajectories against ours. A case is known by
// its content; the shapes below are the whole agreement with whoever reads the files.

import {
  backward,
  buffer,
  DataError,
  matmul,
  mul,
  parameter,
  reshape,
  scope,
  sub,
  sum,
  tensor,
  type Backend,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { clipGradNorm } from './clip.ts';
import { optimizerOf, type GoldenOptimizer } from './golden/optimizers.ts';
import { plateauOf, scheduleOf } from './golden/schedules.ts';

type Entry = number | 'nan' | 'inf' | '-inf';

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: readonly Entry[];
}

export interface GoldenCase {
  readonly id: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs?: Readonly<Record<string, GoldenTensor>>;
  readonly outputs?: Readonly<Record<string, GoldenTensor>>;
  readonly [key: string]: unknown;
}

export interface TensorResult {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
}

export interface CaseResult {
  readonly tensors: readonly TensorResult[];
}

export type CaseRunner = (backend: Backend) => Promise<CaseResult>;

/** How to run a case, or null for one that is none of these kinds. */
export function recognize(case_: GoldenCase): CaseRunner | null {
  const { attrs } = case_;
  if (typeof attrs['optimizer'] === 'string') {
    const make = optimizerOf(attrs);
    return make && ((backend) => runOptimizer(case_, make, backend));
  }
  if (typeof attrs['schedule'] === 'string') return recognizeSchedule(case_);
  if (attrs['op'] === 'clip_grad_norm') return (backend) => runClipping(case_, backend);
  return null;
}

/** The element that uses most of its tolerance, `tolerance(reference)` each. */
function compare(
  name: string,
  actual: ArrayLike<number>,
  expected: readonly number[],
  tolerance: (reference: number) => number,
): TensorResult {
  if (actual.length !== expected.length) return { name, error: Infinity, tolerance: tolerance(0) };
  let worst: TensorResult = { name, error: 0, tolerance: tolerance(expected[0] ?? 0) };
  for (const [i, reference] of expected.entries()) {
    const difference = Math.abs(actual[i]! - reference);
    const error = actual[i] === reference ? 0 : Number.isNaN(difference) ? Infinity : difference;
    const allowed = tolerance(reference);
    if (error / allowed > worst.error / worst.tolerance)
      worst = { name, error, tolerance: allowed };
  }
  return worst;
}

const optimizerTolerance = (reference: number): number => 3e-6 * Math.max(1, Math.abs(reference));
/** Relative; where the reference is 0, what float64 arithmetic leaves of a rate of 1. */
const scheduleTolerance = (reference: number): number =>
  reference === 0 ? 1e-15 : 1e-10 * Math.abs(reference);

function numbers(case_: GoldenCase, key: string): number[] {
  const value = case_[key];
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'number')) {
    throw new DataError(`${case_.id}: '${key}' must be a list of numbers`);
  }
  return value;
}

function input({ id, inputs }: GoldenCase, name: string, backend: Backend): Tensor {
  const value = inputs?.[name];
  if (!value) throw new DataError(`${id}: the case has no input '${name}'`);
  return tensor(Float32Array.from(value.data, Number), { shape: value.shape, backend });
}

/** Steps downhill on (w - b)' A (w - b) / 2 with gradients of our own. */
async function runOptimizer(
  case_: GoldenCase,
  make: (slots: readonly Slot[]) => GoldenOptimizer,
  backend: Backend,
): Promise<CaseResult> {
  const trajectory = case_['trajectory'] as number[][];
  const [w, a, b] = [
    parameter(input(case_, 'w0', backend)),
    buffer(input(case_, 'A', backend)),
    buffer(input(case_, 'b', backend)),
  ];
  const optimizer = make([w]);
  try {
    const points: number[] = [];
    const losses: number[] = [];
    for (let step = 0; step < trajectory.length; step++) {
      optimizer.zeroGrad();
      const loss = scope(() => {
        const away = reshape(sub(w, b), [-1, 1]);
        const value = mul(sum(mul(away, matmul(a, away))), 0.5);
        backward(value);
        return value.data();
      });
      losses.push((await loss)[0]!);
      optimizer.step();
      points.push(...(await w.data()));
    }
    return {
      tensors: [
        compare('trajectory', points, trajectory.flat(), optimizerTolerance),
        compare('losses', losses, numbers(case_, 'losses'), optimizerTolerance),
      ],
    };
  } finally {
    optimizer.dispose();
    for (const slot of [w, a, b]) slot.dispose();
  }
}

function recognizeSchedule(case_: GoldenCase): CaseRunner | null {
  const plateau = plateauOf(case_.attrs);
  if (plateau) {
    return async () => {
      const schedule = plateau();
      const rates = numbers(case_, 'metric').map((metric) => schedule.observe(metric));
      return {
        tensors: [compare('lr_after', rates, numbers(case_, 'lr_after'), scheduleTolerance)],
      };
    };
  }
  const make = scheduleOf(case_.attrs);
  if (!make) return null;
  return async () => {
    const schedule = make();
    const { momentum: steady } = case_.attrs;
    const expected = numbers(case_, 'lr');
    const rates = expected.map((_, step) => schedule.at(step));
    const tensors = [
      compare(
        'lr',
        rates.map(({ lr }) => lr),
        expected,
        scheduleTolerance,
      ),
    ];
    if (case_['momentum'] !== undefined) {
      const momenta = rates.map(({ momentum }) => momentum ?? Number(steady));
      tensors.push(compare('momentum', momenta, numbers(case_, 'momentum'), scheduleTolerance));
    }
    return { tensors };
  };
}

async function runClipping(case_: GoldenCase, backend: Backend): Promise<CaseResult> {
  const { attrs, outputs = {}, inputs = {} } = case_;
  const names = Object.keys(inputs);
  const slots = names.map((name) => {
    const gradient = input(case_, name, backend);
    const slot = parameter(mul(gradient, 0));
    slot.grad = buffer(gradient);
    return slot;
  });
  const { max_norm: maxNorm, norm_type: normType } = attrs;
  const total = clipGradNorm(slots, {
    maxNorm: Number(maxNorm),
    normType: normType === 'inf' ? Infinity : Number(normType),
  });
  try {
    const actual = new Map([['total_norm', await total.data()]]);
    for (const [i, name] of names.entries()) actual.set(name, await slots[i]!.grad!.data());
    const tensors = Object.entries(outputs).map(([name, expected]) => {
      const reference = expected.data.map(Number);
      // As the ops' tolerance on a float32 backend: a share of the largest element.
      const largest = Math.max(1, ...reference.map(Math.abs));
      return compare(name, actual.get(name) ?? [], reference, () => shareOf(backend) * largest);
    });
    return { tensors };
  } finally {
    total.dispose();
    for (const slot of slots) slot.dispose();
  }
}

/** The error that ops may make on a backend: more on one that rounds more coarsely than IEEE float32. */
function shareOf(backend: Backend): number {
  return backend.capabilities.epsilon > 2 ** -24 ? 5e-5 : 1e-6;
}
