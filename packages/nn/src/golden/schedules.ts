// The schedule that a golden case asks for, from PyTorch's names.

import { DataError } from '@convoke/core';

import {
  constantRate,
  cosineDecay,
  cosineWarmRestarts,
  exponentialDecay,
  linearRamp,
  multiStepDecay,
  oneCycle,
  polynomialDecay,
  reduceOnPlateau,
  sequentialSchedule,
  stepDecay,
  type PlateauSchedule,
  type Schedule,
} from '../schedules/index.ts';

type Attributes = Readonly<Record<string, unknown>>;

/** Reads attributes one by one and tells those that nobody read. */
class Reader {
  readonly #attrs: Attributes;
  readonly #unread: Set<string>;

  constructor(attrs: Attributes) {
    this.#attrs = attrs;
    this.#unread = new Set(Object.keys(attrs));
    for (const key of ['schedule', 'momentum']) this.#unread.delete(key);
  }

  get(key: string): unknown {
    this.#unread.delete(key);
    return this.#attrs[key];
  }

  number(key: string): number {
    const value = this.optional(key);
    if (value === undefined) throw new DataError(`the golden schedule case has no number '${key}'`);
    return value;
  }

  optional(key: string): number | undefined {
    const value = this.get(key);
    return typeof value === 'number' ? value : undefined;
  }

  numbers(key: string): number[] {
    return this.get(key) as number[];
  }

  expectAllRead(): void {
    if (this.#unread.size === 0) return;
    throw new DataError(
      `the golden schedule case has attributes that are not known here: ${[...this.#unread].join(', ')}`,
    );
  }
}

const makers = new Map<string, (attrs: Reader, lr: number) => Schedule>([
  [
    'StepLR',
    (attrs, lr) =>
      stepDecay({ lr, stepSize: attrs.number('step_size'), gamma: attrs.optional('gamma') }),
  ],
  [
    'MultiStepLR',
    (attrs, lr) =>
      multiStepDecay({
        lr,
        milestones: attrs.numbers('milestones'),
        gamma: attrs.optional('gamma'),
      }),
  ],
  ['ExponentialLR', (attrs, lr) => exponentialDecay({ lr, gamma: attrs.number('gamma') })],
  [
    'CosineAnnealingLR',
    (attrs, lr) =>
      cosineDecay({ lr, steps: attrs.number('T_max'), minLr: attrs.optional('eta_min') }),
  ],
  [
    'CosineAnnealingWarmRestarts',
    (attrs, lr) =>
      cosineWarmRestarts({
        lr,
        period: attrs.number('T_0'),
        factor: attrs.optional('T_mult'),
        minLr: attrs.optional('eta_min'),
      }),
  ],
  [
    'LinearLR',
    (attrs, lr) =>
      linearRamp({
        lr,
        steps: attrs.number('total_iters'),
        startFactor: attrs.optional('start_factor'),
        endFactor: attrs.optional('end_factor'),
      }),
  ],
  [
    'ConstantLR',
    (attrs, lr) =>
      constantRate({ lr, factor: attrs.number('factor'), steps: attrs.number('total_iters') }),
  ],
  [
    'PolynomialLR',
    (attrs, lr) =>
      polynomialDecay({ lr, steps: attrs.number('total_iters'), power: attrs.optional('power') }),
  ],
  [
    'OneCycleLR',
    (attrs) =>
      oneCycle({
        maxLr: attrs.number('max_lr'),
        totalSteps:
          attrs.optional('total_steps') ?? attrs.number('epochs') * attrs.number('steps_per_epoch'),
        warmup: attrs.optional('pct_start'),
        anneal: attrs.get('anneal_strategy') === 'linear' ? 'linear' : 'cosine',
        divFactor: attrs.optional('div_factor'),
        finalDivFactor: attrs.optional('final_div_factor'),
        threePhase: attrs.get('three_phase') === true,
      }),
  ],
  [
    'SequentialLR',
    (attrs, lr) =>
      sequentialSchedule(
        (attrs.get('parts') as string[]).map((words) => partOf(words, lr)),
        { milestones: attrs.numbers('milestones') },
      ),
  ],
]);

/** A part of a sequence, which is told in words: `LinearLR start .01, 5 steps`. */
function partOf(words: string, lr: number): Schedule {
  const linear = /^LinearLR start ([\d.]+), (\d+) steps$/.exec(words);
  if (linear) return linearRamp({ lr, startFactor: Number(linear[1]), steps: Number(linear[2]) });
  const cosine = /^CosineAnnealingLR T_max (\d+)$/.exec(words);
  if (cosine) return cosineDecay({ lr, steps: Number(cosine[1]) });
  throw new DataError(`the golden schedule case has a part '${words}', which is not known here`);
}

/** How to make the schedule of `attrs`, or null where its name is not known. */
export function scheduleOf(attrs: Attributes): (() => Schedule) | null {
  const make = makers.get(attrs['schedule'] as string);
  if (!make) return null;
  return () => {
    const reader = new Reader(attrs);
    const schedule = make(reader, reader.number('base_lr'));
    reader.expectAllRead();
    return schedule;
  };
}

/** How to make the schedule of a case of ReduceLROnPlateau, or null for any other. */
export function plateauOf(attrs: Attributes): (() => PlateauSchedule) | null {
  if (attrs['schedule'] !== 'ReduceLROnPlateau') return null;
  return () => {
    const reader = new Reader(attrs);
    const schedule = reduceOnPlateau({
      lr: reader.number('base_lr'),
      mode: reader.get('mode') === 'max' ? 'max' : 'min',
      factor: reader.optional('factor'),
      patience: reader.optional('patience'),
      threshold: reader.optional('threshold'),
      thresholdMode: reader.get('threshold_mode') === 'abs' ? 'absolute' : 'relative',
      cooldown: reader.optional('cooldown'),
      minLr: reader.optional('min_lr'),
    });
    reader.expectAllRead();
    return schedule;
  };
}
