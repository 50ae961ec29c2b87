// Every optional op that the backend runs itself, against its decomposition on the same backend; and the same bits, or nearly,
// from run to run.

import { definition, isRequired, type Backend, type Builder } from '@convoke/backend-api';
import { dispatch, fromHost, onBackend, scope, type Tensor } from '@convoke/core';

import { close, sameBits } from '../check.ts';
import { drawInputs, examples, lacking, specOf, type Example } from '../examples/index.ts';
import type { Draft } from '../lab.ts';
import { fromData, toData, type NaiveValue } from '../naive/index.ts';
import { accumulated, isExact, toleranceFor } from '../tolerance.ts';
import { compute } from './forward.ts';

const builder: Builder<Tensor> = {
  run: (op, inputs, attributes) => dispatch(op, inputs, attributes),
  constant: (spec, data) => fromHost(spec, data),
  spec: (value) => value.spec,
};

async function decomposed(
  backend: Backend,
  { op, attributes }: Example,
  inputs: readonly NaiveValue[],
): Promise<Awaited<ReturnType<typeof compute>>> {
  const outputs = onBackend(backend, () =>
    scope(() => {
      const tensors = inputs.map((input) => fromHost(input.spec, toData(input)));
      return [...definition(op).decompose!(builder, tensors, attributes as never)];
    }),
  );
  try {
    return await Promise.all(
      outputs.map(async (output) => ({ spec: output.spec, data: await output.data() })),
    );
  } finally {
    for (const output of outputs) output.dispose();
  }
}

function fusedCase(example: Example): Draft {
  const { op, attributes } = example;
  return {
    id: `fused/${op}/${example.name}`,
    async run({ backend, slack }) {
      const lacks = lacking(example, backend.capabilities.dtypes);
      if (lacks !== null) return lacks;
      const specs = example.inputs.map(specOf);
      if (!backend.supports(op, specs, attributes as never)) return `the backend decomposes ${op}`;
      const inputs = drawInputs(example);
      const fused = await compute(backend, example, inputs);
      const parts = await decomposed(backend, example, inputs);
      const terms = accumulated(op, inputs, attributes);
      for (const [i, { spec, data }] of parts.entries()) {
        const whole = spec.dtype !== 'float32' || isExact(op);
        // Both sides round, each within the tolerance of the op.
        const tolerance = whole
          ? backend.capabilities.epsilon * 4
          : 2 * toleranceFor(backend.capabilities, terms, data);
        close(
          `output ${i} of ${op} against its decomposition`,
          fused[i]!.data,
          fromData(spec, data),
          slack * tolerance,
        );
      }
      return undefined;
    },
  };
}

const UNDETERMINED = 'the backend declares deterministic: false';

const heavy = new Set(['blocks', 'large', 'long', 'many classes']);

/** The examples that a parallel or tuned kernel would split. */
const splittable = examples.filter(({ name }) => [...heavy].some((word) => name.includes(word)));

function sameTwice(example: Example): Draft {
  return {
    id: `determinism/${example.op}/${example.name}`,
    async run({ backend }) {
      if (!backend.capabilities.deterministic) return UNDETERMINED;
      const inputs = drawInputs(example);
      const first = await compute(backend, example, inputs);
      const again = await compute(backend, example, inputs);
      for (const [i, { data }] of again.entries()) {
        sameBits(`${example.op} output ${i}, run twice`, data, first[i]!.data);
      }
      return undefined;
    },
  };
}

const acrossInstances: Draft = {
  id: 'determinism/another instance gives the same bits',
  async run({ backend, fresh }) {
    if (!backend.capabilities.deterministic) return UNDETERMINED;
    const other = await fresh();
    for (const example of splittable.filter(({ op }) => op === 'conv2d' || op === 'matmul')) {
      const inputs = drawInputs(example);
      const [here] = await compute(backend, example, inputs);
      const [there] = await compute(other, example, inputs);
      sameBits(`${example.op} on another instance`, there!.data, here!.data);
    }
    return undefined;
  },
};

export const fusedCases: readonly Draft[] = examples
  .filter(({ op }) => !isRequired(op))
  .map(fusedCase);

export const determinismCases: readonly Draft[] = [...splittable.map(sameTwice), acrossInstances];
