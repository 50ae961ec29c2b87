// Donation against everything else that may hold the storage: a second count, a reshape, a pending read, the tape. And every
// small example with its inputs donated, alone and together.

import type { Backend, Handle } from '@convoke/backend-api';
import { dispatch, fromHost, grad, mul, parameter, scope, sum, type Tensor } from '@convoke/core';

import { check, close, holds, pendingRead, put, release } from '../check.ts';
import { drawInputs, examples, lacking, specOf, type Example } from '../examples/index.ts';
import type { Draft } from '../lab.ts';
import { runNaive, toData } from '../naive/index.ts';
import { accumulated, isExact, toleranceFor } from '../tolerance.ts';

const one = (outputs: readonly Handle[]): Handle => outputs[0]!;

/** Large enough that a backend which pools freed memory does so. */
const SHAPE = [1, 8, 32, 32];
const SIZE = 8192;
const counted = (factor: number): number[] =>
  Array.from({ length: SIZE }, (_, i) => ((i % 4) + 1) * factor);

/** Donates x after `hold` took another hold of its storage, and checks that the hold survives. */
async function donateUnder(
  backend: Backend,
  hold: (x: Handle) => () => Promise<void>,
): Promise<void> {
  const x = put(backend, counted(1), SHAPE);
  const survive = hold(x);
  const y = one(backend.run('add', [x, x], {}, [0]));
  // Work that would reuse memory taken for free.
  const z = one(backend.run('mul', [y, y], {}));
  await survive();
  await holds('the result of an op with a donated input', backend, y, counted(2));
  release(backend, y, z);
}

const donation: readonly Draft[] = [
  {
    id: 'ownership/donation consumes the count',
    async run({ backend }) {
      const { handles } = backend.memory();
      const x = put(backend, [1, 2]);
      const y = one(backend.run('add', [x, x], {}, [1]));
      check(
        backend.memory().handles === handles + 1,
        'after an op that took its only input as a donation, only its output is live',
      );
      await holds('an op that is given an input twice and may overwrite it', backend, y, [2, 4]);
      backend.release(y);
    },
  },
  {
    id: 'ownership/donation against a second count',
    run: ({ backend }) =>
      donateUnder(backend, (x) => {
        backend.retain(x);
        return async () => {
          await holds('a retained handle after its donation', backend, x, counted(1));
          backend.release(x);
        };
      }),
  },
  {
    id: 'ownership/donation against a reshape',
    run: ({ backend }) =>
      donateUnder(backend, (x) => {
        const alias = one(backend.run('reshape', [x], { shape: [SIZE] }));
        return async () => {
          await holds('a reshape after the donation of its source', backend, alias, counted(1));
          backend.release(alias);
        };
      }),
  },
  {
    id: 'ownership/donation of a reshape against its source',
    async run({ backend }) {
      const x = put(backend, counted(1));
      const alias = one(backend.run('reshape', [x], { shape: SHAPE }));
      const y = one(backend.run('add', [alias, alias], {}, [0]));
      await holds('the source after the donation of its reshape', backend, x, counted(1));
      await holds('the result', backend, y, counted(2));
      release(backend, x, y);
    },
  },
  {
    id: 'ownership/donation against a pending read',
    run: ({ backend }) =>
      donateUnder(backend, (x) => {
        const pending = pendingRead(backend, x);
        return async () => {
          const expected = { spec: x.spec, data: Float64Array.from(counted(1)) };
          close(
            'a read that was pending when its handle was donated',
            await pending,
            expected,
            32 * backend.capabilities.epsilon,
          );
        };
      }),
  },
  {
    id: 'ownership/a donated reshape keeps the value',
    async run({ backend }) {
      const x = put(backend, [1, 2, 3, 4, 5, 6], [1, 3, 1, 2]);
      const y = one(backend.run('reshape', [x], { shape: [2, 3] }, [0]));
      const z = put(backend, [9, 9, 9, 9, 9, 9]);
      await holds('the reshape of a donated handle', backend, y, [1, 2, 3, 4, 5, 6]);
      release(backend, y, z);
    },
  },
  {
    id: 'ownership/donation against the tape',
    async run({ backend }) {
      await onTape(backend, (x) => dispatch('square', [x], {}, { donate: [0] })[0]!);
    },
  },
  {
    id: 'ownership/donation of a reshape against the tape',
    async run({ backend }) {
      await onTape(backend, (x) => {
        const [alias] = dispatch('reshape', [x], { shape: [3, 1] });
        return dispatch('square', [alias!], {}, { donate: [0] })[0]!;
      });
    },
  },
  {
    id: 'ownership/donation to an op whose own gradient needs the input',
    async run({ backend }) {
      const w = parameter(vector(backend, [2, 3, 4]));
      const x = vector(backend, [5, 6, 7]);
      const [slope] = scope(() => {
        const [y] = dispatch('mul', [x, w], {}, { donate: [0] });
        return grad(sum(y!), [w]);
      });
      check(x.disposed, 'a donated tensor counts as disposed');
      await holds('the gradient by way of the donated input', backend, slope!.handle, [5, 6, 7]);
      slope!.dispose();
      w.dispose();
    },
  },
];

function vector(backend: Backend, values: readonly number[]): Tensor {
  return fromHost({ shape: [values.length], dtype: 'float32' }, Float32Array.from(values), backend);
}

/** w times x is taped, which saves x; then x is donated by `use`, and the gradient must still see its old value. */
async function onTape(backend: Backend, use: (x: Tensor) => Tensor): Promise<void> {
  const w = parameter(vector(backend, [2, 3, 4]));
  const x = vector(backend, [5, 6, 7]);
  const product = mul(x, w);
  const after = use(x);
  const slope = scope(() => grad(sum(product), [w])[0]!);
  await holds('a gradient whose saved input was donated', backend, slope.handle, [5, 6, 7]);
  await holds('what the donation was for', backend, after.handle, [25, 36, 49]);
  for (const tensor of [product, after, slope, x]) tensor.dispose();
  w.dispose();
}

/** Each input donated in turn, then all of them: the result must not care. */
function donated(example: Example): Draft {
  const { op, attributes, inputs: recipes } = example;
  return {
    id: `donated inputs/${op}/${example.name}`,
    async run({ backend, slack }) {
      const lacks = lacking(example, backend.capabilities.dtypes);
      if (lacks !== null) return lacks;
      const specs = recipes.map(specOf);
      if (!backend.supports(op, specs, attributes as never)) return `the backend decomposes ${op}`;
      const inputs = drawInputs(example);
      const expected = runNaive(op, inputs, attributes as never);
      const terms = accumulated(op, inputs, attributes);
      const all = [...inputs.keys()];
      for (const positions of [...all.map((position) => [position]), all]) {
        const handles = inputs.map((input) => backend.upload(input.spec, toData(input)));
        const outputs = backend.run(op, handles, attributes as never, positions);
        // Others take memory that was free too early.
        const others = inputs.map((input) => backend.upload(input.spec, toData(input).fill(1)));
        for (const [i, output] of outputs.entries()) {
          const whole = output.spec.dtype !== 'float32' || isExact(op);
          const tolerance = whole
            ? backend.capabilities.epsilon * 4
            : toleranceFor(backend.capabilities, terms, expected[i]!.data);
          close(
            `${op} output ${i} with inputs ${positions.join(', ')} donated`,
            await backend.read(output),
            { spec: output.spec, data: expected[i]!.data },
            slack * tolerance,
          );
        }
        release(
          backend,
          ...outputs,
          ...others,
          ...handles.filter((_, i) => !positions.includes(i)),
        );
      }
      return undefined;
    },
  };
}

const MAX_ELEMENTS = 600;

/** One small example an op and dtype is enough here. */
const donatable = examples.filter(
  ({ inputs }) =>
    inputs.length > 0 &&
    inputs.every(({ shape }) => shape.reduce((a, b) => a * b, 1) <= MAX_ELEMENTS),
);

export const donationCases: readonly Draft[] = [...donation, ...donatable.map(donated)];
