// Shorthand that makes decompositions read like formulas.

import type { Builder } from '../builder.ts';
import { sizeOf, type Shape, type Spec } from '../spec.ts';
import type { OpAttributes, OpName } from './attributes.ts';

type Plain = {
  [K in OpName]: OpAttributes[K] extends Readonly<Record<never, never>>
    ? Readonly<Record<never, never>> extends OpAttributes[K]
      ? K
      : never
    : never;
}[OpName];

export interface Composer<V> {
  readonly builder: Builder<V>;
  shape(value: V): Shape;
  /** A rank-0 float32 constant, or one of the dtype of `like`. */
  number(value: number, like?: V): V;
  /** The first output of an op without attributes. */
  op(name: Plain, ...inputs: V[]): V;
  /** The first output of any op. */
  run<K extends OpName>(name: K, attributes: OpAttributes[K], ...inputs: V[]): V;
  add(a: V, b: V | number): V;
  sub(a: V | number, b: V): V;
  mul(a: V, b: V | number): V;
  div(a: V | number, b: V): V;
  reshape(value: V, shape: Shape): V;
  sum(value: V, axes: readonly number[], keepDims?: boolean): V;
  mean(value: V, axes: readonly number[], keepDims?: boolean): V;
  zeros(spec: Spec): V;
}

export function compose<V>(builder: Builder<V>): Composer<V> {
  const shape = (value: V): Shape => builder.spec(value).shape;
  const run = <K extends OpName>(name: K, attributes: OpAttributes[K], ...inputs: V[]): V =>
    builder.run(name, inputs, attributes)[0]!;
  const op = (name: Plain, ...inputs: V[]): V => run(name, {} as OpAttributes[Plain], ...inputs);
  const number = (value: number, like?: V): V =>
    run('fill', {
      shape: [],
      dtype: like === undefined ? 'float32' : builder.spec(like).dtype,
      value,
    });
  const lift = (value: V | number, like: V | number): V =>
    typeof value === 'number' ? number(value, typeof like === 'number' ? undefined : like) : value;
  const sum = (value: V, axes: readonly number[], keepDims = false): V =>
    run('reduceSum', { axes, keepDims }, value);
  return {
    builder,
    shape,
    number,
    op,
    run,
    add: (a, b) => op('add', a, lift(b, a)),
    sub: (a, b) => op('sub', lift(a, b), b),
    mul: (a, b) => op('mul', a, lift(b, a)),
    div: (a, b) => op('div', lift(a, b), b),
    reshape: (value, to) => run('reshape', { shape: to }, value),
    sum,
    mean(value, axes, keepDims = false) {
      const lengths = axes.map((axis) => shape(value)[axis]!);
      return op('div', sum(value, axes, keepDims), number(sizeOf(lengths)));
    },
    zeros: ({ shape: to, dtype }) => run('fill', { shape: to, dtype, value: 0 }),
  };
}
