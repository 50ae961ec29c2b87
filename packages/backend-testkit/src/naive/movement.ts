// Ops that move elements: where each element of the result comes from.

import { DataError } from '@convoke/backend-api';

import type { Kernels } from './kernel.ts';
import { asDtype, build, eachIndex, offsetOf, type NaiveValue } from './value.ts';

type Movement =
  | 'reshape'
  | 'permute'
  | 'broadcastTo'
  | 'pad'
  | 'slice'
  | 'concat'
  | 'gather'
  | 'scatterAdd';

/** The element of `x` at `index`, but at `target` along `axis`. Throws a DataError out of range. */
function at(
  op: string,
  x: NaiveValue,
  index: readonly number[],
  axis: number,
  target: number,
): number {
  const length = x.spec.shape[axis]!;
  if (target < 0 || target >= length) {
    throw new DataError(
      `${op}: index ${target} is out of range for axis ${axis} of length ${length}; expected 0 to ${length - 1}`,
    );
  }
  return offsetOf(x.spec.shape, index.with(axis, target));
}

export const movement: Kernels<Movement> = {
  reshape: ([x], _, [spec]) => [build(spec!, (__, flat) => x!.data[flat]!)],
  permute: ([x], { permutation }, [spec]) => [
    build(spec!, (index) => {
      const source = index.map(() => 0);
      for (const [i, axis] of permutation.entries()) source[axis] = index[i]!;
      return x!.data[offsetOf(x!.spec.shape, source)]!;
    }),
  ],
  broadcastTo: ([x], _, [spec]) => [
    build(spec!, (index) => x!.data[offsetOf(x!.spec.shape, index)]!),
  ],
  pad: ([x], { before, interior, value }, [spec]) => {
    const result = build(spec!, () => value);
    eachIndex(x!.spec.shape, (index, flat) => {
      const target = index.map((i, axis) => before[axis]! + i * (interior[axis]! + 1));
      result.data[offsetOf(spec!.shape, target)] = x!.data[flat]!;
    });
    return [result];
  },
  slice: ([x], { starts, steps }, [spec]) => [
    build(spec!, (index) => {
      const source = index.map((i, axis) => starts[axis]! + i * steps[axis]!);
      return x!.data[offsetOf(x!.spec.shape, source)]!;
    }),
  ],
  concat: (inputs, { axis }, [spec]) => [
    build(spec!, (index) => {
      let position = index[axis]!;
      let which = 0;
      while (position >= inputs[which]!.spec.shape[axis]!) {
        position -= inputs[which]!.spec.shape[axis]!;
        which++;
      }
      const source = inputs[which]!;
      return source.data[offsetOf(source.spec.shape, index.with(axis, position))]!;
    }),
  ],
  gather: ([x, indices], { axis }, [spec]) => [
    build(spec!, (index, flat) => x!.data[at('gather', x!, index, axis, indices!.data[flat]!)]!),
  ],
  scatterAdd: ([x, indices, updates], { axis }, [spec]) => {
    const result = build(spec!, (_, flat) => x!.data[flat]!);
    eachIndex(indices!.spec.shape, (index, flat) => {
      const target = at('scatterAdd', result, index, axis, indices!.data[flat]!);
      result.data[target] = asDtype(result.data[target]! + updates!.data[flat]!, spec!.dtype);
    });
    return [result];
  },
};
