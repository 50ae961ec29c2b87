// The checks and small rules that families of ops share. Messages name the op, what was given and what was expected.

import { DtypeError, ShapeError } from '../errors.ts';
import {
  broadcastShapes,
  formatShape,
  formatSpec,
  sameShape,
  type Dtype,
  type Shape,
  type Spec,
} from '../spec.ts';

export function expectInputs(op: string, inputs: readonly Spec[], count: number): void {
  if (inputs.length !== count) {
    throw new ShapeError(`${op}: expected ${count} input tensors, got ${inputs.length}`);
  }
}

export function expectDtype(op: string, what: string, spec: Spec, ...allowed: Dtype[]): void {
  if (!allowed.includes(spec.dtype)) {
    throw new DtypeError(
      `${op}: ${what} is ${formatSpec(spec)}; expected ${allowed.join(' or ')}. Convert it with cast() first`,
    );
  }
}

export function expectShape(op: string, what: string, spec: Spec, shape: Shape): void {
  if (!sameShape(spec.shape, shape)) {
    throw new ShapeError(
      `${op}: ${what} has shape ${formatShape(spec.shape)}; expected ${formatShape(shape)}`,
    );
  }
}

export function expectRank(
  op: string,
  what: string,
  spec: Spec,
  rank: number,
  letters: string,
): void {
  if (spec.shape.length !== rank) {
    throw new ShapeError(
      `${op}: ${what} has shape ${formatShape(spec.shape)}; expected ${rank} axes ${letters}`,
    );
  }
}

export function expectAxis(op: string, axis: number, rank: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
    const range = rank === 0 ? 'a scalar has no axes' : `expected 0 to ${rank - 1}`;
    throw new ShapeError(`${op}: axis ${axis} is out of range for rank ${rank}; ${range}`);
  }
}

/** Numbers of an attribute, all whole and >= `least`. */
export function expectWhole(
  op: string,
  what: string,
  values: readonly number[],
  least: number,
): void {
  if (!values.every((value) => Number.isSafeInteger(value) && value >= least)) {
    throw new ShapeError(
      `${op}: ${what} must be whole numbers >= ${least}, got ${formatShape(values)}`,
    );
  }
}

export function expectLength(
  op: string,
  what: string,
  values: readonly number[],
  rank: number,
): void {
  if (values.length !== rank) {
    throw new ShapeError(
      `${op}: ${what} ${formatShape(values)} has ${values.length} entries; expected ${rank}, one an axis`,
    );
  }
}

export function broadcastOf(op: string, specs: readonly Spec[]): number[] {
  const shape = broadcastShapes(...specs.map((spec) => spec.shape));
  if (!shape) {
    const shapes = specs.map((spec) => formatShape(spec.shape)).join(' and ');
    throw new ShapeError(
      `${op}: shapes ${shapes} do not broadcast; compared from the last axis, lengths must be equal or 1`,
    );
  }
  return shape;
}

export function float32(shape: Shape): Spec {
  return { shape, dtype: 'float32' };
}
