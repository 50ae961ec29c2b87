// Named values into named slots, all or nothing, with a report of what did not fit.

import {
  DataError,
  formatSpec,
  sameSpec,
  scope,
  sizeOf,
  tensor,
  type Data,
  type Dtype,
  type Shape,
  type Slot,
  type Spec,
} from '@convoke/core';

/** A value on the host, as `@convoke/weights` reads it from files. */
export interface HostTensor {
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** In C order. */
  readonly data: Data;
}

export type NamedTensors = ReadonlyMap<string, HostTensor> | Readonly<Record<string, HostTensor>>;

export interface LoadStateOptions {
  /** Whether every name must fit. Default true. */
  readonly strict?: boolean | undefined;
}

export interface Mismatch {
  readonly name: string;
  readonly given: Spec;
  readonly expected: Spec;
}

export interface LoadReport {
  readonly loaded: readonly string[];
  /** Names that the model has and the weights lack. */
  readonly missing: readonly string[];
  /** Names that the weights have and the model lacks. */
  readonly unexpected: readonly string[];
  /** Names whose shape or dtype differs. */
  readonly mismatched: readonly Mismatch[];
}

/** Up to five of `names`. */
function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** What of `tensors` fits the slots of the same names. */
export function compareState(
  slots: ReadonlyMap<string, Slot>,
  tensors: ReadonlyMap<string, HostTensor>,
): LoadReport {
  const loaded: string[] = [];
  const missing: string[] = [];
  const mismatched: Mismatch[] = [];
  for (const [name, slot] of slots) {
    const value = tensors.get(name);
    if (!value) missing.push(name);
    else if (sameSpec(value, slot) && value.data.length === sizeOf(slot.shape)) loaded.push(name);
    else {
      const { dtype, shape } = value;
      mismatched.push({ name, given: { dtype, shape }, expected: slot.spec });
    }
  }
  const unexpected = [...tensors.keys()].filter((name) => !slots.has(name));
  return { loaded, missing, unexpected, mismatched };
}

/** What does not fit, in words. `optional` names may be missing. */
export function problemsOf(
  report: LoadReport,
  optional: ReadonlySet<string> = new Set(),
): string[] {
  const { unexpected, mismatched } = report;
  const missing = report.missing.filter((name) => !optional.has(name));
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`missing: ${listNames(missing)}`);
  if (unexpected.length > 0) problems.push(`unexpected: ${listNames(unexpected)}`);
  if (mismatched.length > 0) {
    const lines = mismatched.map(({ name, given, expected }) =>
      sameSpec(given, expected)
        ? `${name} (${formatSpec(given)} with another number of elements)`
        : `${name} (${formatSpec(given)}, expected ${formatSpec(expected)})`,
    );
    problems.push(`mismatched: ${listNames(lines)}`);
  }
  return problems;
}

/** Writes `tensors` into the slots of the same name. `optional` names may be missing without a word in strict mode. */
export function loadState(
  slots: ReadonlyMap<string, Slot>,
  optional: ReadonlySet<string>,
  tensors: NamedTensors,
  { strict = true }: LoadStateOptions,
): LoadReport {
  const given: ReadonlyMap<string, HostTensor> =
    tensors instanceof Map ? tensors : new Map(Object.entries(tensors));
  const report = compareState(slots, given);
  const problems = strict ? problemsOf(report, optional) : [];
  if (problems.length > 0) {
    throw new DataError(
      `loadStateDict: the weights do not fit the model. ${problems.join('; ')}. Nothing was changed; load weights of this model, or pass {strict: false} to load what fits`,
    );
  }
  assignAll(slots, given, report.loaded);
  return report;
}

/** All values are brought to the backend before the first slot changes. */
export function assignAll(
  slots: ReadonlyMap<string, Slot>,
  tensors: ReadonlyMap<string, HostTensor>,
  names: readonly string[],
): void {
  scope(() => {
    const pairs = names.map((name) => {
      const slot = slots.get(name)!;
      const { data, shape, dtype } = tensors.get(name)!;
      return [slot, tensor(data, { shape, dtype, backend: slot.backend })] as const;
    });
    for (const [slot, value] of pairs) slot.assign(value);
  });
}
