// What a subcommand is, and how its options are read.

import { parseArgs, type ParseArgsConfig } from 'node:util';

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** The text of `--help`. */
  readonly usage: string;
  /** Resolves to the exit status. */
  run(args: readonly string[]): Promise<number>;
}

/** A mistake in the command line. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<T extends Options> = ReturnType<
  typeof parseArgs<{ options: T; args: string[] }>
>['values'];

/** What `parse` gives. What is wrong with the arguments, an empty value included, becomes a UsageError of one line. */
export function parsedBy<T extends { readonly values: object }>(
  command: string,
  parse: () => T,
): T {
  try {
    const parsed = parse();
    const empty = Object.entries(parsed.values).find(([, value]) => value === '');
    if (empty) throw new Error(`Option '--${empty[0]}' has an empty value`);
    return parsed;
  } catch (error) {
    const problem = (error as Error).message.replace(/\.$/, '').replaceAll('\n', ' ');
    throw new UsageError(`${command}: ${problem}. See convoke ${command} --help`);
  }
}

/** The options' values. Throws a UsageError on an unknown option, a missing or empty value or a stray argument. */
export function readOptions<T extends Options>(
  command: string,
  args: readonly string[],
  options: T,
): Values<T> {
  return parsedBy(command, () =>
    parseArgs({ args: [...args], options, strict: true, allowPositionals: false }),
  ).values;
}

/** A whole number within bounds. Throws a UsageError that names the option. */
export function wholeNumber(
  option: string,
  text: string,
  minimum: number,
  maximum: number = 2 ** 32 - 1,
): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < minimum || value > maximum) {
    throw new UsageError(
      `--${option} expects a whole number from ${minimum} to ${maximum}, got '${text}'`,
    );
  }
  return value;
}

/** One of a list of words. Throws a UsageError that names the option and the list. */
export function oneOf<const T extends string>(
  option: string,
  text: string,
  choices: readonly T[],
): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined)
    throw new UsageError(`--${option} expects ${choices.join(' or ')}, got '${text}'`);
  return choice;
}
