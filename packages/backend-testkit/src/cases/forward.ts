// Every op of the catalogue, run or decomposed, against the naive reference.

import { definition, type Backend, type Data, type Spec } from '@convoke/backend-api';
import { dispatch, fromHost, scope } from '@convoke/core';

import { close, sameSpecs } from '../check.ts';
import {
  drawInputs,
  empty,
  examples,
  lacking,
  nonFinite,
  type Example,
} from '../examples/index.ts';
import type { Draft } from '../lab.ts';
import { runNaive, toData, type NaiveValue } from '../naive/index.ts';
import { accumulated, isExact, toleranceFor } from '../tolerance.ts';

/** What the backend makes of an example: every output with its spec. */
export async function compute(
  backend: Backend,
  { op, attributes }: Example,
  inputs: readonly NaiveValue[],
): Promise<{ spec: Spec; data: Data }[]> {
  const outputs = scope(() => {
    const tensors = inputs.map((input) => fromHost(input.spec, toData(input), backend));
    return dispatch(op, tensors, attributes as never, { backend });
  });
  try {
    return await Promise.all(
      outputs.map(async (output) => ({ spec: output.spec, data: await output.data() })),
    );
  } finally {
    for (const output of outputs) output.dispose();
  }
}

/** Checks outputs against the reference, with the tolerance of the op. */
function compareOutputs(
  backend: Backend,
  { op, attributes }: Example,
  inputs: readonly NaiveValue[],
  outputs: readonly { spec: Spec; data: Data }[],
  slack: number,
): void {
  const expected = runNaive(op, inputs, attributes as never);
  const specs = definition(op).infer(
    inputs.map(({ spec }) => spec),
    attributes as never,
  );
  const terms = accumulated(op, inputs, attributes);
  for (const [i, output] of outputs.entries()) {
    const what = `${op} output ${i}`;
    sameSpecs(what, output.spec, specs[i]!);
    const whole = output.spec.dtype !== 'float32' || isExact(op);
    // A backend without IEEE rounding may lose a unit even when it only copies.
    const rounding = output.spec.dtype === 'float32' ? backend.capabilities.epsilon : 0;
    close(
      what,
      output.data,
      { spec: specs[i]!, data: expected[i]!.data },
      slack * (whole ? rounding * 4 : toleranceFor(backend.capabilities, terms, expected[i]!.data)),
    );
  }
}

function caseOf(group: string, example: Example): Draft {
  return {
    id: `${group}/${example.op}/${example.name}`,
    async run({ backend, slack }) {
      const { dtypes, nonFinite: carries } = backend.capabilities;
      const lacks = lacking(example, dtypes);
      if (lacks !== null) return lacks;
      if (group === 'non-finite' && !carries) return 'the backend declares nonFinite: false';
      const inputs = drawInputs(example);
      compareOutputs(backend, example, inputs, await compute(backend, example, inputs), slack);
      return undefined;
    },
  };
}

export const forwardCases: readonly Draft[] = [
  ...examples.map((example) => caseOf(empty.includes(example) ? 'empty' : 'forward', example)),
  ...nonFinite.map((example) => caseOf('non-finite', example)),
];
