// What all optimisers share: parameter groups, their settings, state by name, and the walk over parameters. How a parameter
// changes is the rule's business: a formula for one parameter, or one fused op over a list of them.

import {
  BackendError,
  buffer,
  DataError,
  full,
  isSymbolic,
  neg,
  noGrad,
  scope,
  type Backend,
  type Slot,
  type Tensor,
} from '@convoke/core';

import { moveSlots } from '../move.ts';
import { groupsOf, type ParameterSource } from './groups.ts';
import { CountSlot, NumberSlot } from './host-slot.ts';

/** Options that every optimiser takes. */
export interface CommonOptions {
  /** Learning rate. */
  readonly lr?: number | undefined;
  /** Weight decay. L2 (added to the gradient) except in AdamW, where it is decoupled. Default 0 except in AdamW. */
  readonly weightDecay?: number | undefined;
  /** Climbs instead of descending. Default false. */
  readonly maximize?: boolean | undefined;
}

/** Options with nothing left out. */
export type Settings<Options> = { readonly [K in keyof Options]-?: Exclude<Options[K], undefined> };

/** One parameter with its gradient, its state and what is counted for it. */
export interface Entry<State extends string> {
  readonly parameter: Slot;
  /** What to descend along: turned round already for `maximize`. Weight decay is the rule's part. */
  readonly gradient: Tensor;
  readonly state: Readonly<Record<State, Slot>>;
  /** Steps of this parameter, the present one included. */
  readonly step: number;
  /** A number of the rule's own, kept with the state. */
  readonly number: NumberSlot | null;
}

export interface Rule<Options extends CommonOptions, State extends string> {
  readonly name: string;
  readonly defaults: Settings<Options>;
  /** The setting that schedules cycle as momentum, if there is one. */
  readonly momentum?: keyof Options & ('momentum' | 'beta1');
  /** Throws a DataError for settings that cannot work. Those of CommonOptions and the momentum are checked already. */
  check?(settings: Settings<Options>): void;
  /** State of each parameter under these settings, of its shape, with the value it starts at. An entry has no other. */
  state(settings: Settings<Options>): Partial<Record<State, number>>;
  /** A number kept for each parameter, with the value it starts at. */
  readonly number?: { readonly name: string; readonly initial: number };
  update(entries: readonly Entry<State>[], settings: Settings<Options>): void;
}

interface Member<State extends string> {
  readonly name: string;
  readonly parameter: Slot;
  readonly state: Readonly<Record<State, Slot>>;
  readonly steps: CountSlot;
  readonly number: NumberSlot | null;
}

interface Group<Options extends CommonOptions, State extends string> {
  readonly prefix: string;
  readonly settings: Settings<Options>;
  /** The group's learning rate in units of the optimiser's. */
  readonly rate: number;
  readonly momentum: NumberSlot | null;
  readonly members: readonly Member<State>[];
}

/** `options` over `base`; what is undefined counts as left out. */
function merge<Options>(base: Settings<Options>, options: Options | undefined): Settings<Options> {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(given) };
}

/** Throws a DataError unless `value` is a number >= min (and < below). */
export function expectSetting(
  optimizer: string,
  name: string,
  value: number,
  range: { min?: number; below?: number } = {},
): void {
  const { min = 0, below = Infinity } = range;
  if (!(value >= min && value < below)) {
    const expected = below === Infinity ? `a number >= ${min}` : `a number in [${min}, ${below})`;
    throw new DataError(`${optimizer}: ${name} must be ${expected}, got ${String(value)}`);
  }
}

export class Optimizer<Options extends CommonOptions, State extends string> {
  readonly #rule: Rule<Options, State>;
  readonly #groups: readonly Group<Options, State>[];
  readonly #lr: NumberSlot;

  constructor(
    rule: Rule<Options, State>,
    source: ParameterSource<Options>,
    options: Options | undefined,
  ) {
    this.#rule = rule;
    const base = merge(rule.defaults, options);
    this.#check(base);
    const named = groupsOf(rule.name, source);
    const settings = named.map((group) => merge(base, group.options));
    for (const own of settings) this.#check(own);
    this.#lr = new NumberSlot(base.lr);
    this.#groups = named.map(({ prefix, parameters }, i): Group<Options, State> => {
      const own = settings[i]!;
      return {
        prefix,
        settings: own,
        rate: this.#rate(own.lr, base.lr),
        momentum: rule.momentum ? new NumberSlot(own[rule.momentum] as number) : null,
        members: parameters.map(([name, parameter]) => ({
          name,
          parameter,
          state: this.#createState(parameter, own),
          steps: new CountSlot(0),
          number: rule.number ? new NumberSlot(rule.number.initial) : null,
        })),
      };
    });
  }

  /**
   * Learning rate. Groups with a rate of their own keep their ratio to it, so that a schedule sets all of them. Throws a
   * DataError for a negative rate.
   */
  get lr(): number {
    return this.#lr.value;
  }

  set lr(value: number) {
    expectSetting(this.#rule.name, 'lr', value);
    this.#lr.value = value;
  }

  /**
   * Momentum (beta1 of the Adam family) of the first group; 0 where the optimiser has none. Setting it sets every group's.
   * Throws a DataError where there is none to set: in Adagrad and Adadelta, and where it was 0 from the start, for no
   * velocities are kept then.
   */
  get momentum(): number {
    return this.#groups[0]!.momentum?.value ?? 0;
  }

  set momentum(value: number) {
    const { name, momentum: setting } = this.#rule;
    for (const { momentum, settings } of this.#groups) {
      if (!momentum || (setting === 'momentum' && settings[setting] === 0)) {
        const remedy = setting
          ? 'give the constructor a momentum above 0'
          : 'take SGD, RMSprop or one of the Adam family';
        throw new DataError(
          `${name}: momentum cannot be set, this optimiser keeps none; ${remedy}, or a schedule without momentum (oneCycle with cycleMomentum: false)`,
        );
      }
    }
    expectSetting(name, setting!, value, setting === 'beta1' ? { below: 1 } : {});
    if (setting === 'momentum' && value === 0) {
      throw new DataError(
        `${name}: momentum cannot become 0 once velocities are kept; make an optimiser without momentum`,
      );
    }
    for (const { momentum } of this.#groups) momentum!.value = value;
  }

  /**
   * Changes every parameter that has a gradient and is not frozen. On a recorder the step becomes part of the program, with
   * the present learning rate and step count, and nothing changes here. Throws a BackendError where a parameter was moved to
   * another backend without the optimiser.
   */
  step(): void {
    noGrad(() =>
      scope(() => {
        for (const group of this.#groups) this.#stepGroup(group);
      }),
    );
  }

  /** Drops the gradients of all parameters. */
  zeroGrad(): void {
    for (const { parameter } of this.#members()) parameter.clearGrad();
  }

  /**
   * All that the optimiser remembers, by name: `lr`, `momentum`, and for each parameter `NAME.step` and its state under
   * PyTorch's names (`NAME.momentum_buffer`, `NAME.exp_avg`, ...). Assigning to these slots restores it.
   */
  stateDict(): Map<string, Slot> {
    const slots = new Map<string, Slot>([['lr', this.#lr]]);
    for (const { prefix, momentum, members } of this.#groups) {
      if (momentum) slots.set(`${prefix}momentum`, momentum);
      for (const { name, state, steps, number } of members) {
        slots.set(`${prefix}${name}.step`, steps);
        if (number) slots.set(`${prefix}${name}.${this.#rule.number!.name}`, number);
        for (const [key, slot] of Object.entries<Slot>(state))
          slots.set(`${prefix}${name}.${key}`, slot);
      }
    }
    return slots;
  }

  /** Moves the state to another backend: all is copied, then switched in one synchronous step. */
  to(backend: Backend): Promise<void> {
    return moveSlots(this.stateDict().values(), backend);
  }

  /** Frees the state. Parameters are not the optimiser's to free. */
  dispose(): void {
    for (const slot of this.stateDict().values()) slot.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  *#members(): Generator<Member<State>> {
    for (const { members } of this.#groups) yield* members;
  }

  #check(settings: Settings<Options>): void {
    const { name, momentum } = this.#rule;
    expectSetting(name, 'lr', settings.lr);
    expectSetting(name, 'weightDecay', settings.weightDecay);
    if (momentum) {
      const range = momentum === 'beta1' ? { below: 1 } : {};
      expectSetting(name, momentum, settings[momentum] as number, range);
    }
    this.#rule.check?.(settings);
  }

  #rate(own: number, base: number): number {
    if (own === base) return 1;
    if (base > 0) return own / base;
    throw new DataError(
      `${this.#rule.name}: a group has lr ${own} and the optimiser lr 0, so the group's has no ratio to keep; give the optimiser an lr above 0`,
    );
  }

  #createState(parameter: Slot, settings: Settings<Options>): Record<State, Slot> {
    const { shape, backend } = parameter;
    const initial = Object.entries<number>(this.#rule.state(settings) as Record<State, number>);
    const slots = initial.map(([key, value]) => [key, buffer(full(shape, value, { backend }))]);
    return Object.fromEntries(slots) as Record<State, Slot>;
  }

  #stepGroup({ settings, rate, momentum, members, prefix }: Group<Options, State>): void {
    const ready = members.filter(
      ({ parameter }) => parameter.grad !== null && parameter.requiresGrad,
    );
    if (ready.length === 0) return;
    const entries = ready.map((member): Entry<State> => {
      const { parameter, state, steps, number, name } = member;
      this.#expectTogether(prefix + name, parameter, state);
      const gradient = settings.maximize ? neg(parameter.grad!) : parameter.grad!;
      return { parameter, gradient, state, step: steps.value + 1, number };
    });
    const symbolic = ready.some(({ parameter }) => isSymbolic(parameter.grad!));
    const numbers = entries.map(({ number }) => number?.value);
    const { momentum: setting } = this.#rule;
    this.#rule.update(entries, {
      ...settings,
      lr: this.lr * rate,
      ...(momentum && setting && { [setting]: momentum.value }),
    });
    if (!symbolic) for (const { steps } of ready) steps.value++;
    else entries.forEach(({ number }, i) => number && (number.value = numbers[i]!));
  }

  #expectTogether(name: string, parameter: Slot, state: Readonly<Record<State, Slot>>): void {
    for (const slot of [parameter.grad!, ...Object.values<Slot>(state)]) {
      if (slot.backend === parameter.backend || isSymbolic(slot)) continue;
      const { name: own } = parameter.backend;
      const other = slot.backend.name === own ? 'another instance of it' : `'${slot.backend.name}'`;
      throw new BackendError(
        'backend-mixed',
        `${this.#rule.name}: parameter '${name}' is on backend '${own}', its gradient or state on ${other}; move them together with await trainer.to(backend), or the state with await optimizer.to(backend)`,
      );
    }
  }
}
