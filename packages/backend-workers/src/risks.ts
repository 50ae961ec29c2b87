// Failures that come late. An op that may fail once its data is seen is a risk; each value knows the risks it depends on,
// so that a failure reaches the values made from it and no others. Most risks end well and are forgotten.

import type { CommandRange } from './engine.ts';
import type { Failure } from './failure.ts';

export interface Risk {
  readonly range: CommandRange;
  readonly describe: (failure: Failure) => Error;
  /** Risks that this op's inputs depend on; empty once settled. */
  parents: readonly Risk[];
  settled: boolean;
  /** Why it failed, once settled; that of the first of its parents which failed, if one did. */
  error: Error | null;
}

export const noRisks: readonly Risk[] = [];

/** How the commands of an op ended: null for well. */
export type Outcome = (range: CommandRange) => Failure | null | 'pending';

/** Failures that wait for `sync` to tell of them; a program that never asks must not collect them for ever. */
const MOST_UNREAD = 64;
/** Risks undecided at a time, from which on the engine is asked how far it is. */
const MANY_PENDING = 256;

/** The risks of one engine, in the order of its commands. */
export class Risks {
  readonly #outcome: Outcome;
  readonly #catchUp: () => Promise<void>;
  #catchingUp = false;
  #pending: Risk[] = [];
  readonly #unread = new Set<Error>();

  /** `catchUp` resolves once all that was encoded has run. */
  constructor(outcome: Outcome, catchUp: () => Promise<void>) {
    this.#outcome = outcome;
    this.#catchUp = catchUp;
  }

  /** The risks of the outputs of an op that may fail, whose inputs depend on `parents`. */
  add(
    range: CommandRange,
    parents: readonly Risk[],
    describe: (failure: Failure) => Error,
  ): readonly Risk[] {
    this.settle();
    const risk: Risk = { range, describe, parents, settled: false, error: null };
    this.#pending.push(risk);
    if (this.#pending.length > MANY_PENDING) this.#ask();
    return [risk];
  }

  /** Finds out how those ended that have run. */
  settle(): void {
    let count = 0;
    for (const risk of this.#pending) {
      const outcome = this.#outcome(risk.range);
      if (outcome === 'pending') break;
      this.#decide(risk, outcome);
      count++;
    }
    if (count > 0) this.#pending.splice(0, count);
  }

  /** Says that the caller was told of an error: `sync` need not. */
  markRead(error: Error): void {
    this.#unread.delete(error);
  }

  /** The first error that nobody was told of. */
  takeUnread(): Error | null {
    for (const error of this.#unread) {
      this.#unread.delete(error);
      return error;
    }
    return null;
  }

  /** What of `risks` still matters: those that ended well are left out. */
  open(risks: readonly Risk[]): readonly Risk[] {
    if (risks.length === 0) return risks;
    this.settle();
    const open = risks.filter(({ settled, error }) => !settled || error !== null);
    return open.length === 0 ? noRisks : open;
  }

  /** With private memory nothing but an answer tells how far the engine is. */
  #ask(): void {
    if (this.#catchingUp) return;
    this.#catchingUp = true;
    this.#catchUp()
      .catch(() => undefined)
      .finally(() => (this.#catchingUp = false));
  }

  #decide(risk: Risk, own: Failure | null): void {
    risk.settled = true;
    risk.error = firstError(risk.parents);
    risk.parents = noRisks;
    if (own && !risk.error) {
      risk.error = risk.describe(own);
      if (this.#unread.size < MOST_UNREAD) this.#unread.add(risk.error);
    }
  }
}

export function firstError(risks: readonly Risk[]): Error | null {
  for (const { error } of risks) if (error) return error;
  return null;
}

/** What a value depends on that is made from values with risks `a` and `b`. */
export function joinRisks(a: readonly Risk[], b: readonly Risk[]): readonly Risk[] {
  if (a === b || b.length === 0) return a;
  if (a.length === 0) return b;
  const left = a.filter((risk) => !b.some((other) => risk !== other && carries(other, risk)));
  const right = b.filter((risk) => !left.some((other) => carries(other, risk)));
  if (left.length === 0) return right.length === b.length ? b : right;
  return right.length === 0 ? (left.length === a.length ? a : left) : [...left, ...right];
}

/** Risks that are looked at to find out whether one depends on another. */
const MOST_STEPS = 64;

/** Whether `risk` fails wherever `inner` does, so that naming `risk` is enough. May miss that in a large net of risks. */
function carries(risk: Risk, inner: Risk): boolean {
  if (risk === inner) return true;
  const open: Risk[] = [risk];
  for (let steps = 0; steps < MOST_STEPS; steps++) {
    const next = open.pop();
    if (!next) return false;
    for (const parent of next.parents) {
      if (parent === inner) return true;
      // Ops depend on earlier ones only.
      if (parent.range.first > inner.range.first) open.push(parent);
    }
  }
  return false;
}
