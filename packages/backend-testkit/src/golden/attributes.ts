// Reads the attributes of a golden case. What is null or absent takes the default; what is of another type is an error.

import { DataError } from '@convoke/backend-api';

export type Attributes = Readonly<Record<string, unknown>>;

function mismatch(key: string, expected: string, value: unknown): DataError {
  return new DataError(
    `golden case: attribute '${key}' is ${JSON.stringify(value)}; expected ${expected}. Compare the file with its specification`,
  );
}

export function numberOf(attrs: Attributes, key: string, fallback?: number): number {
  const value = attrs[key] ?? fallback;
  if (typeof value !== 'number') throw mismatch(key, 'a number', value);
  return value;
}

export function flagOf(attrs: Attributes, key: string, fallback = false): boolean {
  const value = attrs[key] ?? fallback;
  if (typeof value !== 'boolean') throw mismatch(key, 'true or false', value);
  return value;
}

export function wordOf<const T extends string>(
  attrs: Attributes,
  key: string,
  choices: readonly T[],
  fallback?: T,
): T {
  const value = attrs[key] ?? fallback;
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw mismatch(key, choices.join(', '), value);
  return choice;
}

export function numbersOf(attrs: Attributes, key: string): number[] {
  const value = attrs[key];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'number')) {
    throw mismatch(key, 'a list of numbers', value);
  }
  return value;
}

/** `[height, width]`; one number stands for both. */
export function pairOf(attrs: Attributes, key: string, fallback?: number): [number, number] {
  const value = attrs[key] ?? fallback;
  if (typeof value === 'number') return [value, value];
  const [height, width, ...rest] = numbersOf({ [key]: value }, key);
  if (height === undefined || width === undefined || rest.length > 0) {
    throw mismatch(key, 'a number or a pair', value);
  }
  return [height, width];
}
