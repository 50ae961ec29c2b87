// What a family's own options may be. An option that is not declared, or a value that does not fit, is refused before a network
// is built: a misspelt `widht` would give the usual network silently.

import { DataError } from '@convoke/core';

export interface OptionRule<Value> {
  /** Ends the sentence 'width must be ...'. */
  readonly expected: string;
  accepts(value: unknown): value is Value;
}

export type OptionRules<Options extends object> = {
  readonly [Key in keyof Options]-?: OptionRule<Options[Key]>;
};

/** One of these values. */
export function oneOf<const Value extends string | number>(
  ...values: readonly Value[]
): OptionRule<Value> {
  const named = values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value)));
  return {
    expected: `one of ${named.join(', ')}`,
    accepts: (value): value is Value => values.includes(value as Value),
  };
}

/** true or false. */
export const flag: OptionRule<boolean> = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

/** A number from `min` to `max`, both included. */
export function between(min: number, max: number): OptionRule<number> {
  return {
    expected: `a number from ${min} to ${max}`,
    accepts: (value): value is number => typeof value === 'number' && value >= min && value <= max,
  };
}

/** Any number above 0. */
export const positive: OptionRule<number> = {
  expected: 'a number above 0',
  accepts: (value): value is number => Number.isFinite(value) && (value as number) > 0,
};

/** What every network can be asked for. */
const COMMON = ['numClasses', 'inChannels', 'generator'];

/** Throws a DataError for options that are not declared and values that do not fit; undefined is the default. */
export function checkOptions(
  name: string,
  options: object,
  rules: Readonly<Record<string, OptionRule<unknown>>>,
): void {
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || COMMON.includes(option)) continue;
    const rule = Object.hasOwn(rules, option) ? rules[option] : undefined;
    if (!rule) {
      const known = [...COMMON, ...Object.keys(rules)].join(', ');
      throw new DataError(`${name} has no option '${option}'; it takes ${known}`);
    }
    if (!rule.accepts(value)) {
      const given = typeof value === 'string' ? `'${value}'` : String(value);
      throw new DataError(`${name}: ${option} must be ${rule.expected}, got ${given}`);
    }
  }
}
