// Elementwise ops. Inputs that lie in one order are gone through as flat arrays; others are broadcast along axes as they lie
// in memory, and where orders differ the result lies as its channels-last inputs do.

import { type OpAttributes, type OpName } from '@convoke/backend-api';

import { planCast, planCompare, type CompareOp } from '../kernels/compare.ts';
import {
  planBinary,
  planSelect,
  planUnary,
  type BinaryOp,
  type Operand,
  type UnaryOp,
} from '../kernels/elementwise.ts';
import { channelsLast, plain, sameOrder, type Order } from '../order.ts';
import type { Planning } from '../planning.ts';
import type { Planner, Planners } from './planner.ts';
import { arranged, memoryAxes, strided } from './views.ts';

const unaryOps = [
  ...(['neg', 'abs', 'sign', 'exp', 'log', 'log1p', 'sqrt', 'sin', 'cos', 'tanh'] as const),
  ...(['erf', 'floor', 'round', 'rsqrt', 'square', 'reciprocal', 'sigmoid'] as const),
  ...(['logSigmoid', 'relu', 'clamp', 'leakyRelu', 'elu', 'selu', 'silu', 'mish'] as const),
  ...(['softplus', 'softsign', 'hardswish', 'hardsigmoid', 'gelu', 'scaledTanh'] as const),
] as const satisfies readonly UnaryOp[];

const binaryOps = [
  ...(['add', 'sub', 'mul', 'div', 'pow', 'minimum', 'maximum', 'reluGradient'] as const),
] as const satisfies readonly BinaryOp[];

const compareOps = [
  ...(['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'] as const),
] as const satisfies readonly CompareOp[];

/** The inputs of an op that broadcasts, as kernels walk them, and the order of its output. */
interface Broadcast {
  readonly order: Order;
  readonly shape: readonly number[];
  readonly operands: readonly Operand[];
}

const each: readonly number[] = [1];
const repeated: readonly number[] = [0];

function elementsOf(p: Planning): number {
  let count = 1;
  for (const length of p.outputs[0]!.shape) count *= length;
  return count;
}

/** The inputs as flat arrays, or null where they do not all lie alike. */
function flat(p: Planning, count: number): Broadcast | null {
  let order: Order | null = null;
  for (const { storage } of p.inputs) {
    if (storage.elements === 1 || storage.uniform) continue;
    if (storage.elements !== count || (order && !sameOrder(order, storage.order))) return null;
    order = storage.order;
  }
  const operands = p.inputs.map(({ storage }, i) => ({
    address: p.asIs(i),
    strides: storage.elements === 1 || storage.uniform ? repeated : each,
  }));
  return { order: order ?? plain, shape: [count], operands };
}

/** The order that costs least to walk all inputs in. */
function cheapestOrder(p: Planning, count: number): (shape: readonly number[]) => Order {
  const { shape } = p.outputs[0]!;
  const last = channelsLast(shape);
  let whole = false;
  let found = false;
  for (const { spec, storage } of p.inputs) {
    const { order, elements } = storage;
    if (storage.uniform) continue;
    const full = elements === count;
    if (full && sameOrder(order, last)) return channelsLast;
    whole ||= full;
    found ||= order.channels !== 1 && spec.shape.length === shape.length;
  }
  return found && !whole ? channelsLast : () => plain;
}

function broadcast(p: Planning, count: number): Broadcast {
  const simple = flat(p, count);
  if (simple) return simple;
  const { shape } = p.outputs[0]!;
  const orderOf = cheapestOrder(p, count);
  const order = orderOf(shape);
  const axes = memoryAxes(orderOf, shape.length);
  const lengths = arranged(shape, axes);
  const operands = p.inputs.map(({ storage }, i): Operand => {
    if (storage.uniform || storage.elements === 1) {
      return { address: p.asIs(i), strides: lengths.map(() => 0) };
    }
    if (storage.elements === count) {
      return { address: p.at(i, order), strides: contiguous(lengths) };
    }
    const own = strided(p, i);
    const lead = shape.length - own.shape.length;
    const strides = shape.map((_, axis) =>
      axis < lead || own.shape[axis - lead] === 1 ? 0 : own.strides[axis - lead]!,
    );
    return { address: own.address, strides: arranged(strides, axes) };
  });
  return { order, shape: lengths, operands };
}

/** Those of `inputs` that are read element by element. A uniform one is read at its first, which an output must not replace. */
function walked(p: Planning, ...inputs: readonly number[]): readonly number[] {
  return inputs.filter((i) => !p.inputs[i]!.storage.uniform);
}

function contiguous(lengths: readonly number[]): number[] {
  let stride = 1;
  const strides = lengths.map(() => 0);
  for (let axis = lengths.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= lengths[axis]!;
  }
  return strides;
}

function unary<K extends (typeof unaryOps)[number]>(op: K): Planner<K> {
  return (p, attributes) => {
    const order = p.orderOf(0);
    const x = p.at(0, order);
    const y = p.output(order, 0);
    const { dtype } = p.outputs[0]!;
    const count = elementsOf(p);
    if (count === 0) return;
    planUnary(p.encoder, {
      op,
      dtype: dtype as 'float32' | 'int32',
      attributes: attributes as OpAttributes[UnaryOp],
      x,
      y,
      count,
    });
  };
}

function binary(op: (typeof binaryOps)[number]): Planner<BinaryOp> {
  return (p) => {
    const count = elementsOf(p);
    if (count === 0) {
      p.output();
      return;
    }
    const { order, shape, operands } = broadcast(p, count);
    const [a, b] = operands as [Operand, Operand];
    const y = p.output(order, ...walked(p, 0, 1));
    const dtype = p.outputs[0]!.dtype as 'float32' | 'int32';
    planBinary(p.encoder, { op, dtype, shape, a, b, y });
  };
}

function compare(op: CompareOp): Planner<CompareOp> {
  return (p) => {
    const count = elementsOf(p);
    if (count === 0) {
      p.output();
      return;
    }
    const { order, shape, operands } = broadcast(p, count);
    const [a, b] = operands as [Operand, Operand];
    const { dtype } = p.inputs[0]!.spec;
    planCompare(p.encoder, { op, dtype, shape, a, b, y: p.output(order) });
  };
}

function table<K extends OpName>(
  ops: readonly K[],
  make: (op: K) => Planner<K>,
): { readonly [Op in K]: Planner<Op> } {
  return Object.fromEntries(ops.map((op) => [op, make(op)])) as never;
}

export const elementwise: Planners = {
  ...table(unaryOps, unary),
  ...table(binaryOps, binary),
  ...table(compareOps, compare),

  select(p) {
    const count = elementsOf(p);
    if (count === 0) {
      p.output();
      return;
    }
    const { order, shape, operands } = broadcast(p, count);
    const [condition, a, b] = operands as [Operand, Operand, Operand];
    const y = p.output(order, ...walked(p, 1, 2));
    planSelect(p.encoder, { dtype: p.outputs[0]!.dtype, shape, condition, a, b, y });
  },

  cast(p, { dtype }) {
    const { dtype: from } = p.inputs[0]!.spec;
    if (from === dtype || (from === 'bool' && dtype === 'uint8')) {
      p.share(0);
      return;
    }
    const order = p.orderOf(0);
    const x = p.at(0, order);
    const y = p.output(order, 0);
    const count = elementsOf(p);
    if (count > 0) planCast(p.encoder, { from, to: dtype, x, y, count });
  },
};
