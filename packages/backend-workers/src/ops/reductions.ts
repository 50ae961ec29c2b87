// Folding and ordering along axes. Axes are named as they lie in memory, so channels-last inputs need no conversion; the axes
// that are kept stay in their order in memory.

import { sizeOf, type Shape } from '@convoke/backend-api';

import { f32 } from '../encoder.ts';
import { planFill } from '../kernels/copy.ts';
import { planArgExtreme, planCumsum, planSort } from '../kernels/order.ts';
import { planReduce, type ReduceOp } from '../kernels/reduce.ts';
import { channelsLast, plain, type Order } from '../order.ts';
import type { Planning } from '../planning.ts';
import type { Planner, Planners } from './planner.ts';
import { arranged, commonOrder, memoryAxes } from './views.ts';

type Number32 = 'float32' | 'int32';

interface Lying {
  readonly x: number;
  readonly shape: readonly number[];
  /** Logical axes in memory order. */
  readonly axes: readonly number[];
  readonly order: Order;
  readonly dtype: Number32;
}

function lying(p: Planning): Lying {
  const { shape, dtype } = p.inputs[0]!.spec;
  const orderOf = commonOrder(p);
  const order = orderOf(shape);
  const axes = memoryAxes(orderOf, shape.length);
  return { x: p.at(0, order), shape: arranged(shape, axes), axes, order, dtype: dtype as Number32 };
}

/** How what is left of `shape` lies once `gone` is folded. */
function keptOrder(shape: Shape, order: Order, gone: readonly number[]): Order {
  if (order.channels === 1) return plain;
  return channelsLast(shape.map((length, axis) => (gone.includes(axis) ? 1 : length)));
}

/** What folding nothing gives; extremes of nothing are refused by the catalogue. */
const neutral: Readonly<Partial<Record<ReduceOp, number>>> = {
  reduceSum: 0,
  reduceMean: NaN,
  reduceProd: 1,
};

function reduce(op: ReduceOp): Planner<ReduceOp> {
  return (p, { axes: gone }) => {
    const { shape } = p.inputs[0]!.spec;
    const output = p.outputs[0]!;
    if (gone.every((axis) => shape[axis] === 1)) {
      // Nothing to fold: the same elements, in the same order in memory.
      p.share(0);
      return;
    }
    if (sizeOf(shape) === 0) {
      const [value, y] = [neutral[op] ?? NaN, p.output()];
      const bits = output.dtype === 'int32' ? value : f32(value);
      planFill(p.encoder, { to: y, count: sizeOf(output.shape), bits, elementBytes: 4 });
      return;
    }
    const input = lying(p);
    const y = p.output(keptOrder(shape, input.order, gone));
    planReduce(p.encoder, {
      op,
      dtype: input.dtype,
      shape: input.shape,
      x: input.x,
      y,
      axes: gone.map((axis) => input.axes.indexOf(axis)).toSorted((a, b) => a - b),
    });
  };
}

function argExtreme(op: 'argMax' | 'argMin'): Planner<'argMax' | 'argMin'> {
  return (p, { axis }) => {
    const { shape: full } = p.inputs[0]!.spec;
    if (full.includes(0)) {
      p.output();
      return;
    }
    const { x, shape, axes, order, dtype } = lying(p);
    const y = p.output(keptOrder(full, order, [axis]));
    planArgExtreme(p.encoder, { op, dtype, shape, axis: axes.indexOf(axis), x, y });
  };
}

export const reductions: Planners = {
  reduceSum: reduce('reduceSum'),
  reduceMean: reduce('reduceMean'),
  reduceProd: reduce('reduceProd'),
  reduceMax: reduce('reduceMax'),
  reduceMin: reduce('reduceMin'),
  argMax: argExtreme('argMax'),
  argMin: argExtreme('argMin'),

  cumsum(p, { axis }) {
    const { x, shape, axes, order } = lying(p);
    const y = p.output(order, 0);
    if (!shape.includes(0)) planCumsum(p.encoder, { shape, axis: axes.indexOf(axis), x, y });
  },

  sort(p, { axis, descending }) {
    const { x, shape, axes, order, dtype } = lying(p);
    const [values, indices] = [p.output(order, 0), p.output(order)];
    if (shape.includes(0)) return;
    planSort(p.encoder, { dtype, shape, axis: axes.indexOf(axis), descending, x, values, indices });
  },
};
