// The suite as a program: exceptions, reports, filters and runners.

import nodeTest from 'node:test';

import { opNames } from '@convoke/backend-api';
import { describe, expect, test } from 'vitest';

import { examples } from '../src/examples/index.ts';
import {
  conformanceCases,
  describeConformance,
  runConformance,
  type GoldenCase,
  type Runner,
} from '../src/index.ts';
import { loadFixtures } from '../src/node.ts';
import { toy } from './toy.ts';

const broken = toy({ floor: (_, __, x) => [x!.data.map((value) => Math.trunc(value))] });
const only = /^forward\/(floor|round)\//;

function isKitsOwn({ id, attrs }: GoldenCase): boolean {
  return !/^(optimizers|schedules)\//.test(id) && attrs['op'] !== 'clip_grad_norm';
}

/** A runner that keeps what it is told and runs it when asked. */
function collecting(): Runner & { tests: Map<string, () => Promise<void>> } {
  const tests = new Map<string, () => Promise<void>>();
  return {
    tests,
    describe: (_, body) => body(),
    test: (name, body) => tests.set(name, body),
  };
}

describe('the list of cases', () => {
  test('every op of the catalogue has examples', () => {
    const covered = new Set(examples.map(({ op }) => op));
    expect(opNames.filter((op) => !covered.has(op))).toEqual([]);
  });

  test('ids are unique and begin with their group', () => {
    const cases = conformanceCases(toy());
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    for (const { id, group } of cases) expect(id.startsWith(`${group}/`)).toBe(true);
  });

  test('every golden op case is in it; optimisers, schedules and clipping are not', async () => {
    const expected = (await loadFixtures()).filter(isKitsOwn).map(({ id }) => `golden/${id}`);
    const listed = conformanceCases(toy(), { only: /^golden\// }).map(({ id }) => id);
    expect(expected.length).toBeGreaterThan(400);
    expect(listed.toSorted()).toEqual(expected.toSorted());
  });

  test('golden files that are not where they should be are named', async () => {
    const fixtures = new URL('nowhere/', import.meta.url);
    const { problems } = await runConformance(toy(), { only: 'golden/softmax/0', fixtures });
    expect(problems.join()).toContain('nowhere/softmax.json.gz');
  });

  test('cases run at the same time wait for each other', async () => {
    const cases = conformanceCases(toy(), { only: 'ownership/' });
    expect(cases.length).toBeGreaterThan(10);
    await Promise.all(cases.map((entry) => entry.run()));
  });

  test('a case that leaves a handle behind fails for that alone', async () => {
    const factory = toy();
    const leaky = {
      ...factory,
      create: async () => {
        const backend = await factory.create();
        return { ...backend, release: () => undefined };
      },
    };
    const report = await runConformance(leaky, { only: 'forward/exp/smooth' });
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toContain('the case leaks: 2 handles and 192 bytes');
  });
});

describe('exceptions', () => {
  test('without one, a failing case fails the run and says what was expected', async () => {
    const report = await runConformance(broken, { only });
    expect(report.passed).toBe(false);
    expect(report.problems.join()).toMatch(/forward\/floor\/wide: .* is -2, expected -3/);
  });

  test('a declared failure passes', async () => {
    const exceptions = [{ id: /^forward\/floor\/(wide|smooth|scalar)$/, reason: 'truncates' }];
    const report = await runConformance(broken, {
      only: /^forward\/floor\/(wide|smooth)/,
      exceptions,
    });
    expect(report.problems).toEqual([]);
    expect(report.cases.map(({ status }) => status)).toEqual([
      'failed as declared',
      'failed as declared',
    ]);
  });

  test('a stale one fails the run', async () => {
    const exceptions = [{ id: 'forward/round/wide', reason: 'rounds halves up' }];
    const report = await runConformance(toy(), { only, exceptions });
    expect(report.passed).toBe(false);
    expect(report.problems).toEqual([
      'forward/round/wide: it was declared to fail ("rounds halves up") but passes; remove the exception',
    ]);
  });

  test.each([
    [{ id: 'forward/floor/wide', reason: ' ' }, 'gives no reason'],
    [{ id: 'forward/flor/wide', reason: 'truncates' }, 'fits no case'],
  ])('one without a reason, or for no case, fails the run: %o', async (exception, message) => {
    const report = await runConformance(toy(), { only, exceptions: [exception] });
    expect(report.passed).toBe(false);
    expect(report.problems.join()).toContain(message);
  });

  test('a case that does not apply is reported with its reason, and cannot be declared to fail', async () => {
    const { cases } = await runConformance(toy(), { only: 'fused/mish/smooth' });
    expect(cases[0]).toMatchObject({
      status: 'not applicable',
      message: 'the backend decomposes mish',
    });
    const exceptions = [{ id: 'fused/mish/smooth', reason: 'no kernel' }];
    const report = await runConformance(toy(), { only: 'fused/mish/smooth', exceptions });
    expect(report.passed).toBe(false);
  });

  test('a filter that matches nothing fails the run', async () => {
    const report = await runConformance(toy(), { only: 'no such case' });
    expect(report.problems).toEqual(['no case matches no such case']);
  });
});

describe('runners', () => {
  test('each gets a test a case, which fails, passes or is stale like the report', async () => {
    const runner = collecting();
    const exceptions = [{ id: 'forward/round/wide', reason: 'rounds halves up' }];
    describeConformance(runner, broken, { only, exceptions });
    await expect(runner.tests.get('forward/floor/wide')!()).rejects.toThrow('expected -3');
    await expect(runner.tests.get('forward/round/wide')!()).rejects.toThrow('remove the exception');
    await expect(runner.tests.get('forward/round/smooth')!()).resolves.toBeUndefined();
    await expect(
      runner.tests.get('exceptions give reasons and name cases')!(),
    ).resolves.toBeUndefined();
  });

  test('those of vitest and Node fit as they are', () => {
    const runners: Runner[] = [{ describe, test }, nodeTest];
    expect(runners).toHaveLength(2);
  });
});
