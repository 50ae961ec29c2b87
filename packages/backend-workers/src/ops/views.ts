// Tensors as kernels that walk axes see them: with the axes in the order in which they lie in memory.

import { stridesOf, type Shape } from '@convoke/backend-api';

import type { Placed } from '../kernels/movement.ts';
import { axesInMemory, channelsLast, fitsShape, plain, type Order } from '../order.ts';
import type { Planning } from '../planning.ts';

/** The numbers of `values`, one an axis, in the order of `axes`. */
export function arranged(values: readonly number[], axes: readonly number[]): number[] {
  return axes.map((axis) => values[axis]!);
}

/** An order in which all inputs of one rank can be walked: channels last where one of them lies so, else plain. */
export function commonOrder(p: Planning): (shape: Shape) => Order {
  for (const { spec, storage } of p.inputs) {
    if (storage.order.channels !== 1 && fitsShape(storage.order, spec.shape)) return channelsLast;
  }
  return () => plain;
}

/** The axes of tensors of `rank` in memory, under the order that `orderOf` gives. */
export function memoryAxes(orderOf: (shape: Shape) => Order, rank: number): number[] {
  // Lengths do not matter, only whether channels come last.
  const shape = Array.from({ length: rank }, () => 2);
  return axesInMemory(orderOf(shape), rank);
}

/** Input `i` with its axes in memory order. */
export function placed(
  p: Planning,
  i: number,
  orderOf: (shape: Shape) => Order,
  axes: readonly number[],
): Placed {
  const { shape } = p.inputs[i]!.spec;
  return { address: p.at(i, orderOf(shape)), shape: arranged(shape, axes) };
}

/** Input `i` where it lies, with its axes in logical order, for kernels that take any strides. */
export function strided(p: Planning, i: number): Required<Placed> {
  const { spec, storage } = p.inputs[i]!;
  const { shape } = spec;
  if (!fitsShape(storage.order, shape)) {
    return { address: p.at(i), shape, strides: stridesOf(shape) };
  }
  const axes = axesInMemory(storage.order, shape.length);
  const lying = stridesOf(arranged(shape, axes));
  const strides = shape.map((_, axis) => lying[axes.indexOf(axis)]!);
  return { address: p.asIs(i), shape, strides };
}
