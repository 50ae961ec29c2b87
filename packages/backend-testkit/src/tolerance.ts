// How far a result may lie from the float64 reference. One rounding costs at most epsilon, which a backend declares; a sum of
// K terms at most about K of them, and less in practice. An op is granted a fixed number of roundings (polynomials of exp and
// the like) and two for each term that it accumulates, relative to its largest element, or to 1 where all are smaller: with
// numbers of the size that the examples draw, that is the size of the terms. Real mistakes are a thousand times larger.

import {
  sizeOf,
  type Capabilities,
  type OpAttributes,
  type OpName,
  type Shape,
} from '@convoke/backend-api';

import type { NaiveValue } from './naive/index.ts';

const ROUNDINGS = 48;

/** Ops whose result is one of their inputs, or a whole number: there is nothing to round. */
const exact: ReadonlySet<OpName> = new Set<OpName>([
  'iota',
  'randomBits',
  'neg',
  'abs',
  'sign',
  'floor',
  'round',
  'relu',
  'minimum',
  'maximum',
  'equal',
  'notEqual',
  'less',
  'lessEqual',
  'greater',
  'greaterEqual',
  'select',
  'reduceMax',
  'reduceMin',
  'argMax',
  'argMin',
  'sort',
  'reshape',
  'permute',
  'broadcastTo',
  'slice',
  'flip',
  'concat',
  'gather',
  'maxPool2d',
]);

export function isExact(op: OpName): boolean {
  return exact.has(op);
}

function product(shape: Shape, axes: readonly number[]): number {
  return sizeOf(axes.map((axis) => shape[axis]!));
}

/** How many terms one element of the result adds up. */
export function accumulated(
  op: OpName,
  inputs: readonly NaiveValue[],
  attributes: OpAttributes[OpName],
): number {
  const shapes = inputs.map(({ spec }) => spec.shape);
  const [first = [], second = []] = shapes;
  const given = attributes as Partial<
    OpAttributes['reduceSum'] &
      OpAttributes['cumsum'] &
      OpAttributes['sumPool2d'] &
      OpAttributes['matmul']
  >;
  if (op.startsWith('reduce')) return product(first, given.axes!);
  if (op === 'matmul') return first.at(given.transposeA ? -2 : -1)!;
  if (op === 'conv2dFilterGradient') return product(second, [0, 2, 3]);
  if (op === 'conv2dInputGradient') return product(second, [0, 2, 3]);
  if (op === 'conv2d' || op === 'fusedConv2d') return product(second, [1, 2, 3]);
  if (op.includes('Pool2d')) return given.kernelSize ? sizeOf(given.kernelSize) : 4;
  if (op.startsWith('batchNormTrain')) return sizeOf(first) / Math.max(first[1] ?? 1, 1);
  if (op === 'resample') return second[1]!;
  if (op === 'scatterAdd') return second[(attributes as OpAttributes['scatterAdd']).axis] ?? 1;
  if (op === 'softmaxCrossEntropyGradient') return second[1] ?? 1;
  if (op === 'softmaxCrossEntropy') return first[1] ?? 1;
  return given.axis === undefined ? 1 : (first[given.axis] ?? 1);
}

function largest(values: Iterable<number>): number {
  let most = 1;
  for (const value of values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  return most;
}

/** The greatest deviation allowed of an element of `expected`. */
export function toleranceFor(
  { epsilon }: Pick<Capabilities, 'epsilon'>,
  terms: number,
  expected: Iterable<number>,
): number {
  return epsilon * (ROUNDINGS + 2 * terms) * largest(expected);
}
