// Steps that the catalogue has as one op over a list of parameters. Values of parameters and state are donated: the backend
// may write the new ones where the old ones were.

import {
  createMeta,
  dispatch,
  full,
  isSymbolic,
  Tensor,
  type OpAttributes,
  type Slot,
} from '@convoke/core';

import type { Entry } from './optimizer.ts';

/** Where slots wait while their value is donated. */
const nowhere = /* @__PURE__ */ createMeta();
const NO_DATA = /* @__PURE__ */ new Uint8Array(0);

/** Takes the value out of a slot, the slot's count with it; until a value is put in, the slot has a shape only. */
function takeValue(slot: Slot): Tensor {
  const { backend, handle, spec } = slot;
  backend.retain(handle);
  const value = new Tensor(backend, handle);
  slot.moveTo(nowhere, nowhere.upload(spec, NO_DATA));
  return value;
}

function putValue(slot: Slot, value: Tensor): void {
  const { backend, handle } = value.take();
  slot.moveTo(backend, handle);
}

/** The step as part of a recorded program: every slot keeps its value, and the program gives it a new one. */
function recordStep<K extends 'sgdStep' | 'adamStep', State extends string>(
  op: K,
  scalars: readonly Tensor[],
  entries: readonly Entry<State>[],
  states: readonly State[],
  attributes: OpAttributes[K],
): void {
  const slotsOf = ({ parameter, state }: Entry<State>): Slot[] => [
    parameter,
    ...states.map((name) => state[name]),
  ];
  const inputs = entries.flatMap((entry) => {
    const [parameter, ...state] = slotsOf(entry);
    return [parameter!, entry.gradient, ...state];
  });
  const outputs = dispatch(op, [...scalars, ...inputs], attributes);
  for (const [i, slot] of entries.flatMap(slotsOf).entries()) slot.assign(outputs[i]!);
}

/**
 * Runs `op` over all entries at once. `scalars` are the op's rank-0 inputs; `states` names the state in the op's order. If
 * the op throws, every slot has its old value.
 */
export function fusedStep<K extends 'sgdStep' | 'adamStep', State extends string>(
  op: K,
  scalars: readonly number[],
  entries: readonly Entry<State>[],
  states: readonly State[],
  attributes: OpAttributes[K],
): void {
  const [first] = entries;
  if (!first) return;
  const { backend } = first.parameter;
  const inputs = scalars.map((value) => full([], value, { backend }));
  if (entries.some(({ gradient }) => isSymbolic(gradient))) {
    recordStep(op, inputs, entries, states, attributes);
    return;
  }
  const slots: Slot[] = [];
  const lent: Tensor[] = [];
  const donate: number[] = [];
  const lend = (slot: Slot): void => {
    const value = takeValue(slot);
    slots.push(slot);
    lent.push(value);
    donate.push(inputs.length);
    inputs.push(value);
  };
  try {
    for (const { parameter, gradient, state } of entries) {
      lend(parameter);
      inputs.push(gradient);
      for (const name of states) lend(state[name]);
    }
    const outputs = dispatch(op, inputs, attributes, { donate });
    slots.forEach((slot, i) => putValue(slot, outputs[i]!));
  } catch (error) {
    slots.forEach((slot, i) => {
      if (!lent[i]!.disposed) putValue(slot, lent[i]!);
    });
    throw error;
  }
}
