// How the elements of a tensor lie in memory: in C order (`plain`), or with the channels of [N, C, ...] moved to the end.
// An order is a fact about the flat sequence of elements, whatever shape is put on it, so reshapes share memory.

import type { Shape } from '@convoke/backend-api';

/** Blocks of `channels` x `plane` elements, stored as `plane` x `channels`. Where either is 1 that is C order. */
export interface Order {
  readonly channels: number;
  readonly plane: number;
}

export const plain: Order = { channels: 1, plane: 1 };

/** Channels last, for a tensor of shape [N, C, ...]; plain where that is the same. */
export function channelsLast(shape: Shape): Order {
  if (shape.length < 3) return plain;
  const channels = shape[1]!;
  let plane = 1;
  for (let axis = 2; axis < shape.length; axis++) plane *= shape[axis]!;
  return channels <= 1 || plane <= 1 ? plain : { channels, plane };
}

export function sameOrder(a: Order, b: Order): boolean {
  return a === b || (a.channels === b.channels && a.plane === b.plane);
}

/** Whether `order` is that of the channels of `shape`, so that its axes can be walked where they lie. */
export function fitsShape(order: Order, shape: Shape): boolean {
  return order.channels === 1 || sameOrder(order, channelsLast(shape));
}

/** The axes of a tensor of `rank` axes as they lie in memory, outermost first. `order` must fit the tensor's shape. */
export function axesInMemory(order: Order, rank: number): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  if (order.channels === 1) return axes;
  axes.splice(1, 1);
  axes.push(1);
  return axes;
}
