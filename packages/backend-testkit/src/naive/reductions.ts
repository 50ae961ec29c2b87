// Folds over axes, and ordering along one.

import { allocate, type Shape } from '@convoke/backend-api';

import type { Kernel, Kernels } from './kernel.ts';
import { build, eachIndex, offsetOf, type NaiveValue } from './value.ts';

type Reduce = 'reduceSum' | 'reduceProd' | 'reduceMax';

function fold(start: number, step: (total: number, x: number) => number): Kernel<Reduce> {
  return ([x], { axes }, [spec]) => {
    const { shape } = x!.spec;
    const kept = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const totals = new Float64Array(kept.reduce((a, b) => a * b, 1)).fill(start);
    eachIndex(shape, (index, flat) => {
      const at = offsetOf(kept, index);
      totals[at] = step(totals[at]!, x!.data[flat]!);
    });
    return [build(spec!, (_, flat) => totals[flat]!)];
  };
}

/** Ascending order in which NaN is largest. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return a - b || 0;
}

function line(x: NaiveValue, index: readonly number[], axis: number): number[] {
  const { shape } = x.spec;
  return Array.from(
    { length: shape[axis]! },
    (_, i) => x.data[offsetOf(shape, index.with(axis, i))]!,
  );
}

function withAxis(shape: Shape, axis: number, length: number): Shape {
  return shape.map((own, i) => (i === axis ? length : own));
}

export const reductions: Kernels<Reduce | 'argMax' | 'sort'> = {
  reduceSum: fold(0, (total, x) => total + x),
  reduceProd: fold(1, (total, x) => total * x),
  reduceMax: fold(-Infinity, Math.max),

  argMax: ([x], { axis }, [spec]) => {
    const { shape } = x!.spec;
    const found: number[] = [];
    eachIndex(withAxis(shape, axis, 1), (index) => {
      const values = line(x!, index, axis);
      const nan = values.findIndex(Number.isNaN);
      found.push(nan >= 0 ? nan : values.indexOf(Math.max(...values)));
    });
    return [build(spec!, (_, flat) => found[flat]!)];
  },

  sort: ([x], { axis, descending }, [spec, indexSpec]) => {
    const { shape } = x!.spec;
    const sorted = new Float64Array(x!.data.length);
    const from = allocate('int32', x!.data.length);
    if (sorted.length === 0) return [build(spec!, () => 0), build(indexSpec!, () => 0)];
    eachIndex(withAxis(shape, axis, 1), (index) => {
      const values = line(x!, index, axis);
      const order = [...values.keys()].toSorted((a, b) =>
        descending ? compare(values[b]!, values[a]!) : compare(values[a]!, values[b]!),
      );
      for (const [i, source] of order.entries()) {
        const at = offsetOf(shape, index.with(axis, i));
        sorted[at] = values[source]!;
        from[at] = source;
      }
    });
    return [build(spec!, (_, flat) => sorted[flat]!), build(indexSpec!, (_, flat) => from[flat]!)];
  },
};
