// What the command was asked for.

import { parseArgs } from 'node:util';

import { chosenNames } from './suites/index.ts';

export interface BenchArguments {
  /** Names, or null for all that can be had. */
  readonly backends: readonly string[] | null;
  readonly peers: readonly string[] | null;
  /** Names of the cases. */
  readonly cases: readonly string[];
  /** With several, contenders that can have more threads than one enter once with each number. */
  readonly threads: readonly number[] | undefined;
  readonly precision: 'fast' | 'strict' | undefined;
  readonly runs: number;
  /** What was asked to be in the names. */
  readonly only: string;
  readonly json: string | undefined;
  readonly html: string | undefined;
  /** In a page in Chromium instead of here. */
  readonly browser: boolean;
}

export interface Known {
  readonly backends: readonly string[];
  readonly peers: readonly string[];
  readonly cases: readonly string[];
}

/** A mistake in the command line. */
export class UsageError extends Error {}

function listed(
  option: string,
  text: string | undefined,
  known: readonly string[],
): string[] | null {
  if (text === undefined) return null;
  if (text === 'none') return [];
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (!known.includes(name))
      throw new UsageError(
        `--${option}: there is no '${name}'; expected some of ${known.join(', ')}, or none`,
      );
  }
  return [...new Set(names)];
}

function whole(option: string, text: string, minimum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < minimum) {
    throw new UsageError(
      `--${option} expects a whole number of at least ${minimum}, got '${text}'`,
    );
  }
  return value;
}

function precisionOf(text: string | undefined): BenchArguments['precision'] {
  if (text === undefined || text === 'fast' || text === 'strict') return text;
  throw new UsageError(`--precision expects fast or strict, got '${text}'`);
}

const options = {
  backends: { type: 'string' },
  peers: { type: 'string' },
  only: { type: 'string' },
  threads: { type: 'string' },
  precision: { type: 'string' },
  runs: { type: 'string', default: '9' },
  json: { type: 'string' },
  html: { type: 'string' },
  browser: { type: 'boolean', default: false },
} as const;

/** Throws a UsageError that says what was expected. */
export function parseBenchArguments(args: readonly string[], known: Known): BenchArguments {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options }));
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  const { only = '' } = values;
  const cases = chosenNames(known.cases, only);
  if (cases.length === 0) {
    throw new UsageError(
      `--only ${only}: no case has that in its name; expected part of one of ${known.cases.join(', ')}`,
    );
  }
  const threads = values.threads?.split(',').map((text) => whole('threads', text, 1));
  if (values.browser && threads && threads.length > 1) {
    throw new UsageError(`--threads expects one number with --browser, got '${values.threads}'`);
  }
  return {
    backends: listed('backends', values.backends, known.backends),
    peers: listed('peers', values.peers, known.peers),
    cases,
    threads: threads && [...new Set(threads)],
    precision: precisionOf(values.precision),
    runs: whole('runs', values.runs, 5),
    only,
    json: values.json,
    html: values.html,
    browser: values.browser,
  };
}

/** Of `bench:web`. */
export function parsePageArguments(args: readonly string[]): { readonly port: number } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { port: { type: 'string', default: '8080' } },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  const port = whole('port', values.port, 0);
  if (port > 65_535) throw new UsageError(`--port expects at most 65535, got '${values.port}'`);
  return { port };
}
