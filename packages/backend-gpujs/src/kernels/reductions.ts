// Folding along axes, and what orders elements. Long folds with few results go in two passes, so that a GPU has enough threads.

import { reducedShape, sizeOf, stridesOf, type OpName, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { roundAxis, split, sumOf } from '../indexing.ts';
import { channelSums, hasImages } from './channel-sums.ts';
import { literal, type Kit, type OpKernel, type OpKernels } from '../kernel.ts';

export interface Fold {
  readonly name: string;
  readonly start: string;
  /** The fold so far is `s`, the next element `v`. */
  readonly next: string;
}

export const sumFold: Fold = { name: 'sum', start: '0.0', next: 's + v' };
const prodFold: Fold = { name: 'prod', start: '1.0', next: 's * v' };
export const maxFold: Fold = { name: 'max', start: literal(-Infinity), next: 'Math.max(s, v)' };
const minFold: Fold = { name: 'min', start: literal(Infinity), next: 'Math.min(s, v)' };

const LONG = 512;
const FEW = 4096;

/**
 * Folds over `axes` of inputs that are flat tensors of `shape`; `element` is an expression of `x0[at]`, …, the element of each.
 * `finish` is an expression of `s`.
 */
export function fold(
  kit: Kit,
  { name, start, next }: Fold,
  inputs: readonly Buffer[],
  shape: Shape,
  axes: readonly number[],
  element = 'x0[at]',
  finish = 's',
): Buffer {
  const kept = shape.filter((_, axis) => !axes.includes(axis));
  const folded = shape.filter((_, axis) => axes.includes(axis));
  const strides = stridesOf(shape);
  const keptStrides = strides.filter((_, axis) => !axes.includes(axis));
  const foldedStrides = strides.filter((_, axis) => axes.includes(axis));
  const [results, terms] = [sizeOf(kept), sizeOf(folded)];
  const long = terms > LONG && results < FEW;
  const chunk = long ? Math.ceil(Math.sqrt(terms)) : terms;
  const chunks = long ? Math.ceil(terms / chunk) : 1;
  const script = (): string => {
    const { code, names } = split('i', [...kept, chunks], 'c');
    const base = sumOf(
      0,
      kept.map((_, axis) => [names[axis]!, keptStrides[axis]!] as const),
    );
    const inside = split('r', folded, 'f');
    const at = sumOf(
      0,
      folded.map((_, axis) => [inside.names[axis]!, foldedStrides[axis]!] as const),
    );
    const step = `${inside.code}const at = base + ${at};\nconst v = ${element};\ns = ${next};`;
    const body = long
      ? `const r = ${names.at(-1)} * ${chunk} + j;\nif (r < ${terms}) {\n${step}\n}`
      : `const r = j;\n${step}`;
    const loop = terms === 0 ? '' : `for (let j = 0; j < ${chunk}; j++) {\n${body}\n}\n`;
    return `const i = this.thread.x;\n${code}const base = ${base};\nlet s = ${start};\n${loop}return ${long ? 's' : finish};`;
  };
  const argumentNames = inputs.map((_, i) => `x${i}`);
  const step = `fold ${name} ${axes.join()} ${shape.join()} ${element} ${finish}`;
  const partial = kit.compute(step, [...kept, chunks], inputs, argumentNames, script);
  if (!long) return partial;
  kit.passing(partial);
  return fold(kit, { name, start, next }, [partial], [results, chunks], [1], 'x0[at]', finish);
}

const folds: { readonly [K in OpName]?: Fold } = {
  reduceSum: sumFold,
  reduceMean: sumFold,
  reduceProd: prodFold,
  reduceMax: maxFold,
  reduceMin: minFold,
};

const foldKernels = Object.fromEntries(
  Object.entries(folds).map(([op, own]) => {
    const kernel: OpKernel<'reduceSum'> = (kit, [x], { axes }) => {
      const { shape } = x!.spec;
      const terms = sizeOf(axes.map((axis) => shape[axis]!));
      const finish = op === 'reduceMean' ? `s / ${literal(terms)}` : 's';
      if (own === sumFold && axes.join() === '0,2,3' && x!.storage.image && hasImages(kit, [x!])) {
        return channelSums(kit, op, [x!], [], ['x0'], finish);
      }
      return [fold(kit, own, [kit.flat(x!)], shape, axes, 'x0[at]', finish)];
    };
    return [op, kernel];
  }),
) as OpKernels;

function argExtreme(better: '>' | '<'): OpKernel<'argMax' | 'argMin'> {
  return (kit, [x], { axis, keepDims }) => {
    const { shape } = x!.spec;
    return [
      kit.compute('each', reducedShape(shape, [axis], keepDims), [kit.flat(x!)], ['x'], () => {
        const [outer, length, inner] = roundAxis(shape, axis);
        const { code, names } = split('i', [outer, inner], 'c');
        const base = sumOf(0, [
          [names[0]!, length * inner],
          [names[1]!, 1],
        ]);
        return `const i = this.thread.x;
${code}const base = ${base};
let best = x[base];
let where = 0.0;
for (let k = 0; k < ${length}; k++) {
  const v = x[base + k * ${inner}];
  if (v ${better} best) { best = v; where = k * 1.0; }
}
return where;`;
      }),
    ];
  };
}

const along = (shape: Shape, axis: number): { code: string; place: string; inner: number } => {
  const [outer, length, inner] = roundAxis(shape, axis);
  const { code, names } = split('i', [outer, length, inner], 'c');
  const base = sumOf(0, [
    [names[0]!, length * inner],
    [names[2]!, 1],
  ]);
  return {
    code: `const i = this.thread.x;\n${code}const base = ${base};\n`,
    place: names[1]!,
    inner,
  };
};

export const reductionKernels: OpKernels = {
  ...foldKernels,
  argMax: argExtreme('>'),
  argMin: argExtreme('<'),
  cumsum: (kit, [x], { axis }, [output]) => [
    kit.compute('each', output!.shape, [kit.flat(x!)], ['x'], () => {
      const { code, place, inner } = along(output!.shape, axis);
      const length = output!.shape[axis]!;
      return `${code}let s = 0.0;
for (let k = 0; k < ${length}; k++) {
  if (k <= ${place}) { s = s + x[base + k * ${inner}]; }
}
return s;`;
    }),
  ],
  // The rank of each element, then for each place the element of that rank: no exchange of elements, no races.
  sort(kit, [x], { axis, descending }, [output]) {
    const { shape } = output!;
    const from = kit.flat(x!);
    const length = shape[axis] ?? 1;
    const ranks = kit.passing(
      kit.compute('rank', shape, [from], ['x'], () => {
        const { code, place, inner } = along(shape, axis);
        return `${code}const v = x[i];
let rank = 0.0;
for (let k = 0; k < ${length}; k++) {
  const w = x[base + k * ${inner}];
  if (w ${descending ? '>' : '<'} v) { rank = rank + 1.0; }
  if (w === v && k < ${place}) { rank = rank + 1.0; }
}
return rank;`;
      }),
    );
    const indices = kit.compute('place', shape, [ranks], ['ranks'], () => {
      const { code, place, inner } = along(shape, axis);
      return `${code}let where = 0.0;
for (let k = 0; k < ${length}; k++) {
  if (whole(ranks[base + k * ${inner}]) === ${place}) { where = k * 1.0; }
}
return where;`;
    });
    const values = kit.compute('value', shape, [from, indices], ['x', 'indices'], () => {
      const { code, inner } = along(shape, axis);
      return `${code}return x[base + whole(indices[i]) * ${inner}];`;
    });
    return [values, indices];
  },
};
