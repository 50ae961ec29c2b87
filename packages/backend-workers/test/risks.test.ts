import { describe, expect, test } from 'vitest';

import type { CommandRange } from '../src/engine.ts';
import type { Failure } from '../src/failure.ts';
import { firstError, joinRisks, noRisks, Risks, type Risk } from '../src/risks.ts';

/** An engine whose ops are single commands that end when told. */
class Commands {
  completed = 0;
  caughtUp = 0;
  readonly failures = new Map<number, Failure>();
  readonly risks = new Risks(
    ({ first, last }) => {
      if (last > this.completed) return 'pending';
      return this.failures.get(first) ?? null;
    },
    () => {
      this.caughtUp++;
      return Promise.resolve();
    },
  );
  #submitted = 0;

  add(parents: readonly Risk[] = noRisks): readonly Risk[] {
    const sequence = ++this.#submitted;
    const range: CommandRange = { first: sequence, last: sequence };
    return this.risks.add(range, parents, ({ value }) => new Error(`failed at ${value}`));
  }

  fail(sequence: number): void {
    const failure = { sequence, kernel: 'gather', code: 'indexOutOfRange', value: sequence };
    this.failures.set(sequence, failure as Failure);
  }
}

describe('risks', () => {
  test('one that ends well is forgotten, one that is undecided or has failed stays', () => {
    const commands = new Commands();
    const [well, bad, later] = [commands.add(), commands.add(), commands.add()];
    commands.fail(2);
    commands.completed = 2;
    expect(commands.risks.open(well)).toBe(noRisks);
    expect(firstError(commands.risks.open(bad))?.message).toBe('failed at 2');
    expect(commands.risks.open(later)).toEqual(later);
  });

  test('a failure passes to what depends on it, which adds none of its own', () => {
    const commands = new Commands();
    const first = commands.add();
    const second = commands.add(first);
    commands.fail(1);
    commands.fail(2);
    commands.completed = 2;
    commands.risks.settle();
    expect(firstError(second)?.message).toBe('failed at 1');
    expect(commands.risks.takeUnread()?.message).toBe('failed at 1');
    expect(commands.risks.takeUnread()).toBeNull();
  });

  test('an error that was read is not told again', () => {
    const commands = new Commands();
    const risk = commands.add();
    commands.fail(1);
    commands.completed = 1;
    commands.risks.settle();
    commands.risks.markRead(firstError(risk)!);
    expect(commands.risks.takeUnread()).toBeNull();
  });

  test('the engine is asked how far it is when very many are undecided', async () => {
    const commands = new Commands();
    for (let i = 0; i < 600; i++) commands.add();
    expect(commands.caughtUp).toBe(1);
    await new Promise(setImmediate);
    commands.add();
    expect(commands.caughtUp).toBe(2);
  });
});

describe('joining', () => {
  test('names a risk once, and not where one that depends on it is named', () => {
    const commands = new Commands();
    const first = commands.add();
    const second = commands.add(first);
    const third = commands.add(second);
    const other = commands.add();
    expect(joinRisks(first, third)).toEqual(third);
    expect(joinRisks(third, first)).toEqual(third);
    expect(joinRisks(second, second)).toEqual(second);
    expect(joinRisks(other, third)).toEqual([...other, ...third]);
    expect(joinRisks(joinRisks(first, other), joinRisks(other, third))).toHaveLength(2);
  });

  test('stays short in a loop whose state depends on every round before', () => {
    const commands = new Commands();
    let state = noRisks;
    for (let round = 0; round < 500; round++) {
      const loss = commands.add(state);
      const gradient = commands.add(joinRisks(state, loss));
      state = joinRisks(state, gradient);
    }
    expect(state).toHaveLength(1);
  });
});
