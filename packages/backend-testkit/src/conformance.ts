// The suite as data: a list of cases that anyone can run, and two ways to run it. Nothing here knows a test runner.

import { DataError, isConvokeError, type Backend, type BackendFactory } from '@convoke/backend-api';

import { drafts } from './cases/index.ts';
import { fixturesFolder } from './fixtures.ts';
import type { Draft, Lab } from './lab.ts';

export interface Case {
  /** `group/what`: stable, for exceptions and filters. */
  readonly id: string;
  readonly group: string;
  /**
   * Rejects with an Error that says what was expected. Resolves to a reason where the case does not apply to the backend.
   * Cases of one list wait for each other.
   */
  run(): Promise<string | void>;
}

export interface ConformanceOptions {
  /** Passed to the factory's `create`. */
  readonly createOptions?: unknown;
  /** Only cases whose id contains this text or matches this pattern. */
  readonly only?: string | RegExp | undefined;
  /** Multiplies every tolerance that follows from the backend's epsilon. Default 1. */
  readonly slack?: number | undefined;
  /** For backends that can fail on demand: makes the op of the next `run` fail once it is executed. */
  readonly failNext?: ((backend: Backend) => void) | undefined;
  /** `fast` grants golden cases the rounding of Winograd's transforms. Default `strict`. */
  readonly precision?: 'strict' | 'fast' | undefined;
  /** Address, with a slash at its end, of this package's fixtures/ops; for pages whose bundler moves modules. */
  readonly fixtures?: string | URL | undefined;
}

export interface Exception {
  /** The id of a case, or a pattern of ids. */
  readonly id: string | RegExp;
  /** Why these cases fail and what would change that. */
  readonly reason: string;
}

export interface ReportOptions extends ConformanceOptions {
  /** Cases that are expected to fail. One that passes after all, or matches no case, fails the run. */
  readonly exceptions?: readonly Exception[] | undefined;
}

export interface CaseReport {
  readonly id: string;
  readonly group: string;
  readonly status:
    | 'passed'
    | 'failed'
    | 'not applicable'
    | 'failed as declared'
    | 'passed against its declaration';
  /** What went wrong, or was declared. */
  readonly message?: string;
  readonly milliseconds: number;
}

export interface Report {
  readonly passed: boolean;
  readonly backend: string;
  readonly cases: readonly CaseReport[];
  /** One line for each reason why `passed` is false. */
  readonly problems: readonly string[];
}

/** What a test runner must offer: vitest, node:test, mocha and Jasmine do; a page brings two small functions. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly test: (name: string, body: () => Promise<void>) => unknown;
}

/** The instance that cases share, made when the first one runs, and again after one has lost it. */
class Subject {
  readonly #factory: BackendFactory;
  readonly #options: ConformanceOptions;
  #backend: Promise<Backend> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(factory: BackendFactory, options: ConformanceOptions) {
    this.#factory = factory;
    this.#options = options;
  }

  /** Runs a case after those before it: memory is compared before and after, which no two cases may do at once. */
  perform(draft: Draft): Promise<string | void> {
    const result = this.#turn.then(() => this.#perform(draft));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    await this.#turn;
    const backend = await this.#backend?.catch(() => null);
    this.#backend = null;
    backend?.dispose();
  }

  async #perform(draft: Draft): Promise<string | void> {
    const { createOptions, slack = 1, failNext } = this.#options;
    const { precision = 'strict', fixtures = fixturesFolder } = this.#options;
    this.#backend ??= this.#factory.create(createOptions);
    const backend = await this.#backend;
    const others: Backend[] = [];
    const lab: Lab = {
      backend,
      factory: this.#factory,
      createOptions,
      slack,
      failNext,
      precision,
      fixtures,
      fresh: async () => {
        const other = await this.#factory.create(createOptions);
        others.push(other);
        return other;
      },
    };
    const before = backend.memory();
    try {
      const inapplicable = await draft.run(lab);
      await backend.sync();
      expectNoLeak(before, backend.memory());
      return inapplicable;
    } catch (error) {
      // What a failed case left behind must not fail those after it.
      this.#backend = null;
      tryDispose(backend);
      throw error;
    } finally {
      for (const other of others) tryDispose(other);
    }
  }
}

/** A backend that a case has broken may fail at this too; the case's own error tells more. */
function tryDispose(backend: Backend): void {
  try {
    backend.dispose();
  } catch {
    // Nothing of it is used again.
  }
}

function expectNoLeak(
  before: { handles: number; bytes: number },
  after: { handles: number; bytes: number },
): void {
  if (after.handles === before.handles && after.bytes === before.bytes) return;
  throw new Error(
    `the case leaks: ${after.handles - before.handles} handles and ${after.bytes - before.bytes} bytes more are live after it than before`,
  );
}

function matches(pattern: string | RegExp, id: string): boolean {
  return typeof pattern === 'string' ? pattern === id : new RegExp(pattern).test(id);
}

function selected(only: string | RegExp | undefined): readonly Draft[] {
  if (only === undefined) return drafts;
  return drafts.filter(({ id }) =>
    typeof only === 'string' ? id.includes(only) : new RegExp(only).test(id),
  );
}

function casesOn(subject: Subject, only: string | RegExp | undefined): Case[] {
  return selected(only).map((draft) => ({
    id: draft.id,
    group: draft.id.slice(0, draft.id.indexOf('/')),
    run: () => subject.perform(draft),
  }));
}

/**
 * Every case of the suite for a factory, in a fixed order. Creates nothing until a case runs. The instance that the cases
 * share is never disposed: use `runConformance` where that matters.
 */
export function conformanceCases(
  factory: BackendFactory,
  options: ConformanceOptions = {},
): Case[] {
  return casesOn(new Subject(factory, options), options.only);
}

/** Throws a DataError for an exception that gives no reason or fits no case. */
function checkExceptions(exceptions: readonly Exception[]): void {
  for (const { id, reason } of exceptions) {
    if (typeof reason !== 'string' || reason.trim() === '') {
      throw new DataError(
        `conformance: the exception ${String(id)} gives no reason; say why it fails`,
      );
    }
    if (!drafts.some((draft) => matches(id, draft.id))) {
      throw new DataError(`conformance: the exception ${String(id)} fits no case; remove it`);
    }
  }
}

async function judge(entry: Case, exceptions: readonly Exception[]): Promise<CaseReport> {
  const { id, group } = entry;
  const declared = exceptions.find((exception) => matches(exception.id, id));
  const started = performance.now();
  const finish = (status: CaseReport['status'], message?: string): CaseReport => ({
    id,
    group,
    status,
    ...(message !== undefined && { message }),
    milliseconds: performance.now() - started,
  });
  let inapplicable: string | void;
  try {
    inapplicable = await entry.run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return declared
      ? finish('failed as declared', `${declared.reason} (${message})`)
      : finish('failed', message);
  }
  if (!declared) {
    return inapplicable === undefined ? finish('passed') : finish('not applicable', inapplicable);
  }
  return finish(
    'passed against its declaration',
    `it was declared to fail ("${declared.reason}") but passes; remove the exception`,
  );
}

function problemOf({ id, status, message }: CaseReport): string | null {
  const wrong = status === 'failed' || status === 'passed against its declaration';
  return wrong ? `${id}: ${message}` : null;
}

/** Runs the suite without a test runner. Rejects only where the factory cannot create a backend at all. */
export async function runConformance(
  factory: BackendFactory,
  options: ReportOptions = {},
): Promise<Report> {
  const { exceptions = [], only } = options;
  const problems: string[] = [];
  try {
    checkExceptions(exceptions);
  } catch (error) {
    if (!isConvokeError(error)) throw error;
    problems.push(error.message);
  }
  const subject = new Subject(factory, options);
  const cases: CaseReport[] = [];
  try {
    for (const entry of casesOn(subject, only)) {
      const report = await judge(entry, exceptions);
      cases.push(report);
      const problem = problemOf(report);
      if (problem !== null) problems.push(problem);
    }
  } finally {
    await subject.close();
  }
  if (cases.length === 0) problems.push(`no case matches ${String(only)}`);
  return { passed: problems.length === 0, backend: factory.name, cases, problems };
}

/**
 * Declares the suite to a test runner: a group for each family, a test for each case. A case with a declared exception passes
 * only as long as it fails.
 */
export function describeConformance(
  { describe, test }: Runner,
  factory: BackendFactory,
  options: ReportOptions = {},
): void {
  const { exceptions = [], only } = options;
  const subject = new Subject(factory, options);
  const cases = casesOn(subject, only);
  const groups = new Set(cases.map(({ group }) => group));
  describe(`conformance of backend '${factory.name}'`, () => {
    test('exceptions give reasons and name cases', async () => checkExceptions(exceptions));
    for (const group of groups) {
      describe(group, () => {
        for (const entry of cases.filter((candidate) => candidate.group === group)) {
          test(entry.id, async () => {
            const problem = problemOf(await judge(entry, exceptions));
            if (problem !== null) throw new Error(problem);
          });
        }
      });
    }
    test('the backend can be disposed', () => subject.close());
  });
}
