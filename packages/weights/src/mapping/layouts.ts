// From Keras' order of axes to PyTorch's.

import { elementsOf, gather, type HostTensor } from '../tensors.ts';
import type { KernelKind } from './names.ts';

/** How a tensor's elements move: the axes of the file that the model's are, then a reshape where `shape` differs. */
export interface Move {
  /** Shape to read the file's elements in. */
  readonly view: readonly number[];
  readonly axes: readonly number[];
  readonly transposed: boolean;
  readonly reshaped: boolean;
}

const equal = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((length, i) => length === b[i]);

/** The same up to axes of length 1. */
const alike = (a: readonly number[], b: readonly number[]): boolean =>
  equal(
    a.filter((length) => length !== 1),
    b.filter((length) => length !== 1),
  );

const inOrder = (shape: readonly number[]): number[] => shape.map((_, axis) => axis);

/** Spatial axes first, then in, then out: to out, in, spatial. */
function kernelAxes(rank: number): number[] {
  return [rank - 1, rank - 2, ...Array.from({ length: rank - 2 }, (_, axis) => axis)];
}

export interface MoveOptions {
  readonly keras: boolean;
  readonly kind: KernelKind;
  /** [C, H, W] of what was flattened before a dense layer, where the file has it flattened as [H, W, C]. */
  readonly flattened?: readonly [channels: number, height: number, width: number] | undefined;
}

/** How a tensor of shape `from` becomes one of shape `to`, or null where it cannot. */
export function moveOf(
  from: readonly number[],
  to: readonly number[],
  { keras, kind, flattened }: MoveOptions,
): Move | null {
  const moves: (Move | null)[] = [];
  if (keras && kind !== 'other' && from.length >= 2) {
    if (flattened) moves.push(flattenedMove(from, to, flattened));
    else {
      if (kind === 'kernel') moves.push(permuted(from, to, kernelAxes(from.length)));
      if (from.length === 4) moves.push(depthwise(from, to));
    }
  } else {
    moves.push(permuted(from, to, inOrder(from)));
  }
  return moves.find((move) => move !== null) ?? null;
}

function permuted(
  from: readonly number[],
  to: readonly number[],
  axes: readonly number[],
): Move | null {
  const shape = axes.map((axis) => from[axis]!);
  if (!alike(shape, to)) return null;
  const transposed = axes.some((axis, i) => axis !== i);
  return { view: from, axes, transposed, reshaped: !equal(shape, to) };
}

/** [H, W, C, M] to [C * M, 1, H, W]. */
function depthwise(from: readonly number[], to: readonly number[]): Move | null {
  const [height, width, channels, multiplier] = from as [number, number, number, number];
  if (!equal(to, [channels * multiplier, 1, height, width])) return null;
  return { view: from, axes: [2, 3, 0, 1], transposed: true, reshaped: false };
}

/** [H * W * C, out] to [out, C * H * W]. */
function flattenedMove(
  from: readonly number[],
  to: readonly number[],
  [channels, height, width]: readonly [number, number, number],
): Move | null {
  const [inputs, outputs] = from as [number, number];
  if (from.length !== 2 || inputs !== channels * height * width || !equal(to, [outputs, inputs])) {
    return null;
  }
  const view = [height, width, channels, outputs];
  return { view, axes: [3, 2, 0, 1], transposed: true, reshaped: false };
}

/** `tensor` moved, with the shape `to`. The data are the same array where nothing moves. */
export function applyMove(
  tensor: HostTensor,
  { view, axes, transposed }: Move,
  to: readonly number[],
): HostTensor {
  if (!transposed) return { dtype: tensor.dtype, shape: to, data: tensor.data };
  const strides = view.map((_, axis) => elementsOf(view.slice(axis + 1)));
  const data = gather(
    tensor.data,
    axes.map((axis) => view[axis]!),
    axes.map((axis) => strides[axis]!),
  ) as HostTensor['data'];
  return { dtype: tensor.dtype, shape: to, data };
}
