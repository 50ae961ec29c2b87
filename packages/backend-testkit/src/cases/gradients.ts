// First and second derivatives of every op that has them. The standard is differences of the naive reference in float64, so
// it shares nothing with the gradient rules: neither core's nor a backend's kernels.

import type { Backend, OpName } from '@convoke/backend-api';
import {
  dispatch,
  fromHost,
  grad,
  mul,
  parameter,
  scope,
  square,
  sum,
  add,
  type Tensor,
} from '@convoke/core';

import { close } from '../check.ts';
import { drawInputs, examples, lacking, wantsGradient, type Example } from '../examples/index.ts';
import type { Draft } from '../lab.ts';
import { runNaive, toData, type NaiveValue } from '../naive/index.ts';
import { Source } from '../source.ts';
import { accumulated, toleranceFor } from '../tolerance.ts';

const STEP = 1e-4;
const SECOND_STEP = 1e-3;
/** What the differences themselves may be off by, as a share of the largest derivative. */
const DIFFERENCE_ERROR = 2e-7;
const SECOND_DIFFERENCE_ERROR = 2e-5;

/** Positions of the inputs to differentiate by. */
function variables({ inputs }: Example): number[] {
  return [...inputs.keys()].filter((i) => wantsGradient(inputs[i]!));
}

function shifted(
  values: readonly NaiveValue[],
  at: number,
  direction: Float64Array,
  step: number,
): NaiveValue[] {
  return values.map((value, i) =>
    i === at
      ? { spec: value.spec, data: value.data.map((x, j) => x + step * direction[j]!) }
      : value,
  );
}

function unit(length: number, at: number): Float64Array {
  const direction = new Float64Array(length);
  direction[at] = 1;
  return direction;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((total, value, i) => total + value * b[i]!, 0);
}

/** The tensors of an example on a backend; those to differentiate by are parameters. */
function place(example: Example, inputs: readonly NaiveValue[], backend: Backend): Tensor[] {
  const wanted = variables(example);
  return inputs.map((input, i) => {
    const tensor = fromHost(input.spec, toData(input), backend);
    return wanted.includes(i) ? parameter(tensor) : tensor;
  });
}

async function readAll(tensors: readonly Tensor[]): Promise<Awaited<ReturnType<Tensor['data']>>[]> {
  try {
    return await Promise.all(tensors.map((tensor) => tensor.data()));
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

function first(example: Example): Draft {
  const { op, attributes } = example;
  return {
    id: `gradient/${op}/${example.name}`,
    async run({ backend, slack }) {
      const lacks = lacking(example, backend.capabilities.dtypes);
      if (lacks !== null) return lacks;
      const inputs = drawInputs(example);
      const wanted = variables(example);
      const [y] = runNaive(op, inputs, attributes as never);
      const upstream = new Source(`${op}/${example.name} upstream`).tensor(y!.spec);

      const tensors = place(example, inputs, backend);
      const gradients = scope(() =>
        grad(
          dispatch(op, tensors, attributes as never)[0]!,
          wanted.map((i) => tensors[i]!),
          {
            gradient: fromHost(upstream.spec, toData(upstream), backend),
          },
        ),
      );
      const actual = await readAll(gradients);
      for (const tensor of tensors) tensor.dispose();

      const loss = (values: readonly NaiveValue[]): number =>
        dot(runNaive(op, values, attributes as never)[0]!.data, upstream.data);
      const terms = Math.max(accumulated(op, inputs, attributes), y!.data.length);
      for (const [k, at] of wanted.entries()) {
        const input = inputs[at]!;
        const expected = input.data.map((_, j) => {
          const direction = unit(input.data.length, j);
          const above = loss(shifted(inputs, at, direction, STEP));
          return (above - loss(shifted(inputs, at, direction, -STEP))) / (2 * STEP);
        });
        const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        close(
          `gradient of ${op} with respect to input ${at}`,
          actual[k]!,
          { spec: input.spec, data: expected },
          slack * toleranceFor(backend.capabilities, terms, expected) + DIFFERENCE_ERROR * size,
        );
      }
      return undefined;
    },
  };
}

/**
 * The derivative of v . grad f, with f = sum(u y^2), so that even linear ops have one. Four points a variable:
 * f(+v+e) - f(+v-e) - f(-v+e) + f(-v-e), over 4 steps squared.
 */
function second(example: Example): Draft {
  const { op, attributes } = example;
  return {
    id: `second order/${op}/${example.name}`,
    async run({ backend, slack }) {
      const inputs = drawInputs(example);
      const wanted = variables(example);
      const source = new Source(`${op}/${example.name} second order`);
      const [y] = runNaive(op, inputs, attributes as never);
      const weights = source.tensor(y!.spec);
      const directions = new Map(wanted.map((i) => [i, source.tensor(inputs[i]!.spec)]));

      const tensors = place(example, inputs, backend);
      const targets = wanted.map((i) => tensors[i]!);
      const seconds = scope(() => {
        const u = fromHost(weights.spec, toData(weights), backend);
        const loss = sum(mul(u, square(dispatch(op, tensors, attributes as never)[0]!)));
        const slopes = grad(loss, targets, { createGraph: true }).map((slope, k) => {
          const v = directions.get(wanted[k]!)!;
          return sum(mul(slope, fromHost(v.spec, toData(v), backend)));
        });
        return grad(
          slopes.reduce((a, b) => add(a, b)),
          targets,
        );
      });
      const actual = await readAll(seconds);
      for (const tensor of tensors) tensor.dispose();

      const loss = (values: readonly NaiveValue[]): number => {
        const [result] = runNaive(op, values, attributes as never);
        return dot(
          result!.data.map((value) => value * value),
          weights.data,
        );
      };
      const along = (step: number): NaiveValue[] =>
        inputs.map((input, i) => {
          const v = directions.get(i);
          return v ? shifted([input], 0, v.data, step)[0]! : input;
        });
      const [ahead, behind] = [along(SECOND_STEP), along(-SECOND_STEP)];
      const terms = 4 * Math.max(accumulated(op, inputs, attributes), y!.data.length);
      for (const [k, at] of wanted.entries()) {
        const input = inputs[at]!;
        const expected = input.data.map((_, j) => {
          const e = unit(input.data.length, j);
          const difference = (values: readonly NaiveValue[]): number =>
            loss(shifted(values, at, e, SECOND_STEP)) - loss(shifted(values, at, e, -SECOND_STEP));
          return (difference(ahead) - difference(behind)) / (4 * SECOND_STEP ** 2);
        });
        const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        close(
          `second derivative of ${op} with respect to input ${at}`,
          actual[k]!,
          { spec: input.spec, data: expected },
          slack * toleranceFor(backend.capabilities, terms, expected) +
            SECOND_DIFFERENCE_ERROR * size,
        );
      }
    },
  };
}

const twice: ReadonlySet<OpName> = new Set<OpName>([
  'conv2d',
  'conv2dInputGradient',
  'conv2dFilterGradient',
  'fusedConv2d',
  'matmul',
  'maxPool2d',
  'sumPool2d',
  'averagePool2d',
  'resample',
  'batchNormTrain',
  'batchNormEval',
  'softmax',
  'logSoftmax',
  'softmaxCrossEntropy',
]);

const smooth = examples.filter(({ differentiate }) => differentiate);

export const gradientCases: readonly Draft[] = [
  ...smooth.map(first),
  ...smooth.filter(({ op }) => twice.has(op)).map(second),
];
