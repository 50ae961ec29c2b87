// What an optimiser is given: parameters in a list, a map of names or groups with settings of their own.

import { DataError, DtypeError, formatSpec, type Slot } from '@convoke/core';

/** Parameters, by name or in an order that stays the same: state is saved by name, or by position where there is none. */
export type ParameterList = Iterable<Slot> | ReadonlyMap<string, Slot>;

/** Parameters with settings of their own; what is left out is as the optimiser's options say. */
export type ParameterGroup<Options> = Options & { readonly parameters: ParameterList };

export type ParameterSource<Options> = ParameterList | readonly ParameterGroup<Options>[];

export interface NamedGroup<Options> {
  /** What the names of its saved state begin with: empty unless groups were given. */
  readonly prefix: string;
  readonly parameters: readonly (readonly [name: string, slot: Slot])[];
  readonly options: Options | undefined;
}

function isSlot(value: unknown): value is Slot {
  return typeof value === 'object' && value !== null && 'isTensor' in value && 'moveTo' in value;
}

/** Slots with their names; positions stand for names in a list. */
export function namedSlots(list: ParameterList): (readonly [string, Slot])[] {
  if (list instanceof Map) return [...(list as ReadonlyMap<string, Slot>)];
  return Array.from(list as Iterable<Slot>, (slot, i) => [String(i), slot] as const);
}

function isGroup<Options>(value: unknown): value is ParameterGroup<Options> {
  return typeof value === 'object' && value !== null && 'parameters' in value && !isSlot(value);
}

/** Throws a DataError for what are no parameters, for none at all and for one given twice; a DtypeError for other than float32. */
export function groupsOf<Options>(
  optimizer: string,
  source: ParameterSource<Options>,
): NamedGroup<Options>[] {
  if (typeof (source as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') {
    throw new DataError(
      `${optimizer}: expected parameters in a list or a map, or a list of groups; pass model.parameters() or model.namedParameters()`,
    );
  }
  const items = source instanceof Map ? [] : [...(source as Iterable<unknown>)];
  const groups: NamedGroup<Options>[] = items.some((item) => isGroup<Options>(item))
    ? items.map((item, i) => {
        if (!isGroup<Options>(item)) {
          throw new DataError(
            `${optimizer}: item ${i} is no group; expected {parameters, ...settings} for every item, or parameters only`,
          );
        }
        const { parameters, ...options } = item;
        return {
          prefix: `groups.${i}.`,
          parameters: namedSlots(parameters),
          options: options as unknown as Options,
        };
      })
    : [
        {
          prefix: '',
          parameters: namedSlots(source instanceof Map ? source : (items as Slot[])),
          options: undefined,
        },
      ];
  const seen = new Map<Slot, string>();
  for (const { prefix, parameters } of groups) {
    for (const [name, slot] of parameters) expectParameter(optimizer, prefix + name, slot, seen);
  }
  if (seen.size === 0) {
    throw new DataError(
      `${optimizer}: there are no parameters; pass model.parameters() of a model that has some`,
    );
  }
  return groups;
}

function expectParameter(
  optimizer: string,
  name: string,
  slot: unknown,
  seen: Map<Slot, string>,
): void {
  if (!isSlot(slot)) {
    throw new DataError(
      `${optimizer}: '${name}' is no parameter; expected a slot made by parameter(tensor)`,
    );
  }
  if (slot.dtype !== 'float32') {
    throw new DtypeError(
      `${optimizer}: '${name}' is ${formatSpec(slot)}; only float32 parameters can be trained`,
    );
  }
  const other = seen.get(slot);
  if (other !== undefined) {
    throw new DataError(
      `${optimizer}: '${name}' is the parameter given as '${other}' already; it would be stepped twice. Give each parameter once`,
    );
  }
  seen.set(slot, name);
}
