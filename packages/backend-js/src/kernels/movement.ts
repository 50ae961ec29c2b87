// Ops that move elements along: each is one strided copy. Where nothing moves, the result shares the input's storage.

import { broadcastStrides, sizeOf, stridesOf, type Data, type Shape } from '@convoke/backend-api';

import type { Arrays, Kernel, Kernels, Value } from '../kernel.ts';
import { contiguous, copy, mergeAxes, type View } from './walk.ts';

/** The elements of `view` as a tensor of `shape`: the input's own array if the view is all of it, in order. */
function collect(shape: Shape, view: View, { spec, data }: Value, arrays: Arrays): Data {
  const size = sizeOf(shape);
  if (size === data.length && view.offset === 0) {
    const { lengths, strides } = mergeAxes(shape, view.strides);
    if (lengths.length === 1 && (lengths[0] === 1 || strides[0]![0] === 1)) return data;
  }
  const y = arrays.take(spec.dtype, size);
  copy(shape, view, contiguous(y, shape));
  return y;
}

const permute: Kernel<'permute'> = ([x], { permutation }, [spec], _, arrays) => {
  const own = stridesOf(x!.spec.shape);
  const strides = permutation.map((axis) => own[axis]!);
  return [collect(spec!.shape, { data: x!.data, offset: 0, strides }, x!, arrays)];
};

const broadcastTo: Kernel<'broadcastTo'> = ([x], _, [spec], __, arrays) => {
  const strides = broadcastStrides(x!.spec.shape, spec!.shape);
  return [collect(spec!.shape, { data: x!.data, offset: 0, strides }, x!, arrays)];
};

const slice: Kernel<'slice'> = ([x], { starts, steps }, [spec], _, arrays) => {
  const own = stridesOf(x!.spec.shape);
  const view = {
    data: x!.data,
    offset: starts.reduce((sum, start, axis) => sum + start * own[axis]!, 0),
    strides: own.map((stride, axis) => stride * steps[axis]!),
  };
  return [collect(spec!.shape, view, x!, arrays)];
};

const flip: Kernel<'flip'> = ([x], { axes }, [spec], _, arrays) => {
  const { shape } = spec!;
  const own = stridesOf(shape);
  // An axis named twice is turned twice.
  const turned = shape.map((__, axis) => axes.filter((other) => other === axis).length % 2 === 1);
  const view = {
    data: x!.data,
    offset: own.reduce(
      (sum, stride, axis) => sum + (turned[axis] ? (shape[axis]! - 1) * stride : 0),
      0,
    ),
    strides: own.map((stride, axis) => (turned[axis] ? -stride : stride)),
  };
  return [collect(shape, view, x!, arrays)];
};

const pad: Kernel<'pad'> = ([x], { before, interior, value }, [spec], _, arrays) => {
  const { shape, dtype } = spec!;
  const size = sizeOf(shape);
  if (size === x!.data.length) return [x!.data];
  const filling = dtype === 'bool' ? Number(value !== 0) : value;
  const y = filling === 0 ? arrays.zeros(dtype, size) : arrays.take(dtype, size).fill(filling);
  const own = stridesOf(shape);
  copy(x!.spec.shape, contiguous(x!.data, x!.spec.shape), {
    data: y,
    offset: before.reduce((sum, count, axis) => sum + count * own[axis]!, 0),
    strides: own.map((stride, axis) => stride * (interior[axis]! + 1)),
  });
  return [y];
};

const concat: Kernel<'concat'> = (inputs, { axis }, [spec], _, arrays) => {
  const { shape, dtype } = spec!;
  if (inputs.length === 1) return [inputs[0]!.data];
  const y = arrays.take(dtype, sizeOf(shape));
  const strides = stridesOf(shape);
  let at = 0;
  for (const { spec: own, data } of inputs) {
    copy(own.shape, contiguous(data, own.shape), { data: y, offset: at * strides[axis]!, strides });
    at += own.shape[axis]!;
  }
  return [y];
};

export const movementKernels: Kernels = {
  reshape: ([x]) => [x!.data],
  permute,
  broadcastTo,
  slice,
  flip,
  pad,
  concat,
};
