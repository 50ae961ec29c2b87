// Elements of an axis made of windows of the elements of another: interpolation, averages over cells, and their gradients.

import type { OpDefinition } from '../builder.ts';
import { sizeOf, type Spec } from '../spec.ts';
import type { OpAttributes } from './attributes.ts';
import {
  expectAxis,
  expectDtype,
  expectInputs,
  expectRank,
  expectShape,
  float32,
} from './checks.ts';
import { compose, type Composer } from './composing.ts';

/** Checks `count` windows: weights [count, taps] and starts [count]. */
function expectWindows(which: string, weights: Spec, starts: Spec, count: number): void {
  const op = 'resample';
  const [weight, start] = [`the ${which}weight tensor`, `the ${which}start tensor`];
  expectDtype(op, weight, weights, 'float32');
  expectRank(op, weight, weights, 2, '[windows, taps]');
  expectShape(op, weight, weights, [count, weights.shape[1]!]);
  expectDtype(op, start, starts, 'int32');
  expectShape(op, start, starts, [count]);
}

/** Where each tap looks, moved inside the axis, and its weight, 0 where it was outside: both [output, taps]. */
function inside<V>(
  c: Composer<V>,
  weights: V,
  starts: V,
  length: number,
): { readonly index: V; readonly weight: V } {
  const [output, taps] = c.shape(weights) as [number, number];
  const along = c.run('iota', { shape: [output, taps], dtype: 'int32', axis: 1 });
  const place = c.add(along, c.reshape(starts, [output, 1]));
  const [first, last] = [c.number(0, place), c.number(length - 1, place)];
  const index = c.op('minimum', c.op('maximum', place, first), last);
  return { index, weight: c.op('select', c.op('equal', index, place), weights, c.number(0)) };
}

export const resampling: { readonly resample: OpDefinition<OpAttributes['resample']> } = {
  resample: {
    summary:
      'weighted sums of a window of elements along an axis, a window for each element of the result',
    infer(inputs, { axis }) {
      expectInputs('resample', inputs, 5);
      const [x, weights, starts, transposedWeights, transposedStarts] = inputs as [
        Spec,
        Spec,
        Spec,
        Spec,
        Spec,
      ];
      expectDtype('resample', 'the input', x, 'float32');
      expectAxis('resample', axis, x.shape.length);
      expectRank('resample', 'the start tensor', starts, 1, '[windows]');
      const output = starts.shape[0]!;
      expectWindows('', weights, starts, output);
      expectWindows('transposed ', transposedWeights, transposedStarts, x.shape[axis]!);
      return [float32(x.shape.with(axis, output))];
    },
    decompose(builder, [x, weights, starts], { axis }) {
      const c = compose(builder);
      const shape = c.shape(x!);
      const result = shape.with(axis, c.shape(starts!)[0]!);
      const [output, taps] = c.shape(weights!) as [number, number];
      if (sizeOf(shape) * taps === 0) return [c.zeros(float32(result))];
      const [length, outer] = [shape[axis]!, sizeOf(shape.slice(0, axis))];
      const inner = sizeOf(shape.slice(axis + 1));
      const { index, weight } = inside(c, weights!, starts!, length);
      // The taps of all windows one after another.
      const picks = c.run(
        'broadcastTo',
        { shape: [outer, output * taps, inner] },
        c.reshape(index, [output * taps, 1]),
      );
      const picked = c.run('gather', { axis: 1 }, c.reshape(x!, [outer, length, inner]), picks);
      const scale = c.reshape(weight, [output * taps, 1]);
      const used = c.op('select', c.op('notEqual', scale, c.number(0)), picked, c.number(0));
      const terms = c.reshape(c.mul(used, scale), [outer, output, taps, inner]);
      return [c.reshape(c.sum(terms, [2]), result)];
    },
  },
};
