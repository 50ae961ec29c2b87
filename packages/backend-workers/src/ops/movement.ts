// Ops that move elements. They walk axes as they lie in memory, so channels-last inputs give channels-last outputs.

import { sameShape, sizeOf, type Shape } from '@convoke/backend-api';

import {
  planBroadcastTo,
  planConcat,
  planFlip,
  planPad,
  planPermute,
  planSlice,
} from '../kernels/movement.ts';
import { channelsLast, type Order } from '../order.ts';
import type { Planning } from '../planning.ts';
import { elementBytesOf, type Planners } from './planner.ts';
import { arranged, commonOrder, memoryAxes, placed, strided } from './views.ts';

function isEmpty(p: Planning): boolean {
  return p.outputs[0]!.shape.includes(0);
}

/** The axes of the inputs in memory, and memory for the output with the same axes. */
function walk(p: Planning): { orderOf: (shape: Shape) => Order; axes: number[]; y: number } {
  const orderOf = commonOrder(p);
  const { shape } = p.outputs[0]!;
  return { orderOf, axes: memoryAxes(orderOf, shape.length), y: p.output(orderOf(shape)) };
}

export const movement: Planners = {
  reshape: (p) => p.share(0),

  permute(p, { permutation }) {
    if (permutation.every((axis, i) => axis === i)) {
      p.share(0);
      return;
    }
    const y = p.output();
    if (isEmpty(p)) return;
    const elementBytes = elementBytesOf(p.outputs[0]!);
    planPermute(p.encoder, { x: strided(p, 0), y, elementBytes, permutation });
  },

  broadcastTo(p, { shape }) {
    const x = p.inputs[0]!.spec;
    if (sameShape(x.shape, shape)) {
      p.share(0);
      return;
    }
    const elementBytes = elementBytesOf(x);
    if (sizeOf(x.shape) === 1) {
      const plan = { x: { address: p.asIs(0), shape: [1] }, y: p.uniformOutput(), elementBytes };
      planBroadcastTo(p.encoder, { ...plan, shape: [sizeOf(shape)] });
      return;
    }
    // A value per channel, spread over an image: what meets it lies channels last.
    const perChannel = shape.length === 4 && x.shape.at(-1) === 1 && x.shape.at(-2) === 1;
    const orderOf = perChannel ? channelsLast : commonOrder(p);
    const y = p.output(orderOf(shape));
    if (isEmpty(p)) return;
    const lead = shape.length - x.shape.length;
    const source = strided(p, 0);
    const axes = memoryAxes(orderOf, shape.length);
    const whole = {
      address: source.address,
      shape: arranged([...shape.slice(0, lead).map(() => 1), ...x.shape], axes),
      strides: arranged([...shape.slice(0, lead).map(() => 0), ...source.strides], axes),
    };
    planBroadcastTo(p.encoder, { x: whole, y, elementBytes, shape: arranged(shape, axes) });
  },

  pad(p, { before, after, interior, value }) {
    const { orderOf, axes, y } = walk(p);
    if (isEmpty(p)) return;
    planPad(p.encoder, {
      x: placed(p, 0, orderOf, axes),
      y,
      dtype: p.outputs[0]!.dtype,
      before: arranged(before, axes),
      after: arranged(after, axes),
      interior: arranged(interior, axes),
      value,
    });
  },

  slice(p, { starts, sizes, steps }) {
    const { orderOf, axes, y } = walk(p);
    if (isEmpty(p)) return;
    planSlice(p.encoder, {
      x: placed(p, 0, orderOf, axes),
      y,
      elementBytes: elementBytesOf(p.outputs[0]!),
      starts: arranged(starts, axes),
      sizes: arranged(sizes, axes),
      steps: arranged(steps, axes),
    });
  },

  flip(p, { axes: turned }) {
    const { orderOf, axes, y } = walk(p);
    if (isEmpty(p)) return;
    planFlip(p.encoder, {
      x: placed(p, 0, orderOf, axes),
      y,
      elementBytes: elementBytesOf(p.outputs[0]!),
      axes: turned.map((axis) => axes.indexOf(axis)),
    });
  },

  concat(p, { axis }) {
    if (p.inputs.length === 1) {
      p.share(0);
      return;
    }
    const { orderOf, axes, y } = walk(p);
    if (isEmpty(p)) return;
    planConcat(p.encoder, {
      xs: p.inputs.map((_, i) => placed(p, i, orderOf, axes)),
      y,
      elementBytes: elementBytesOf(p.outputs[0]!),
      axis: axes.indexOf(axis),
    });
  },
};
